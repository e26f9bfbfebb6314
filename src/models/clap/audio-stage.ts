import * as tf from '@tensorflow/tfjs-core';
import { attention, embedding } from '../../gpu/kernels';
import { LayerNorm, Linear, type Parameter, type ParameterScope } from '../../nn';
import {
  relativePositionIndex,
  roll,
  shiftedWindowMask,
  windowPartition,
  windowReverse,
} from './audio-window';
import type { ClapAudioConfig } from './config';

/** Attention within each window, with a learnt bias by relative place. */
class ClapAudioAttention {
  readonly #query: Linear;
  readonly #key: Linear;
  readonly #value: Linear;
  readonly #dense: Linear;
  readonly #biases: Parameter; // [(2w − 1)², N]

  constructor(
    params: ParameterScope,
    private readonly config: ClapAudioConfig,
    private readonly dim: number,
    private readonly heads: number,
  ) {
    const own = params.child('self');
    const bias = { bias: config.qkvBias };
    this.#query = new Linear(own.child('query'), dim, dim, bias);
    this.#key = new Linear(own.child('key'), dim, dim, bias);
    this.#value = new Linear(own.child('value'), dim, dim, bias);
    const offsets = (2 * config.windowSize - 1) ** 2;
    this.#biases = own.weight('relative_position_bias_table', [offsets, heads], 'embedding');
    this.#dense = new Linear(params.child('output.dense'), dim, dim);
  }

  /**
   * @param windows [B · M, L, C] with L = w · w
   * @param mask [M, L, L], or null without a shift
   * @returns [B · M, L, C]
   */
  forward(windows: tf.Tensor3D, mask: tf.Tensor3D | null): tf.Tensor3D {
    const { dim, heads } = this;
    const [count, places] = windows.shape;
    const masks = mask ? mask.shape[0] : 1;
    const rows = count / masks;
    const perHead = (projection: Linear): tf.Tensor4D => {
      const split = tf.reshape(projection.forward(windows), [count, places, heads, dim / heads]);
      // Windows with masks of their own count as heads, so that one bias serves every item of the batch.
      return tf.reshape(tf.transpose(split, [0, 2, 1, 3]), [rows, masks * heads, places, dim / heads]);
    };
    const attended = attention(perHead(this.#query), perHead(this.#key), perHead(this.#value), {
      scale: (dim / heads) ** -0.5,
      bias: this.#bias(mask),
    }); // [B or B · M, M · N or N, L, C / N]
    const split = tf.transpose(tf.reshape(attended, [count, heads, places, dim / heads]), [0, 2, 1, 3]);
    return this.#dense.forward(tf.reshape(split, [count, places, dim])) as tf.Tensor3D;
  }

  /** [1, M · N, L, L] */
  #bias(mask: tf.Tensor3D | null): tf.Tensor4D {
    return tf.tidy(() => {
      const places = this.config.windowSize ** 2;
      const index = tf.tensor1d(relativePositionIndex(this.config.windowSize), 'int32');
      const values = tf.reshape(embedding(index, this.#biases), [places, places, this.heads]);
      const relative = tf.transpose(values, [2, 0, 1]); // [N, L, L]
      const all = mask ? tf.add(tf.expandDims(mask, 1), relative) : relative; // [M, N, L, L]
      return tf.reshape(all, [1, -1, places, places]);
    });
  }
}

/** A Swin block: attention in windows (shifted by half a window in every second block), then a two-layer perceptron. */
class ClapAudioLayer {
  readonly #normBefore: LayerNorm;
  readonly #attention: ClapAudioAttention;
  readonly #normAfter: LayerNorm;
  readonly #intermediate: Linear;
  readonly #output: Linear;
  readonly #shift: number;

  constructor(
    params: ParameterScope,
    private readonly config: ClapAudioConfig,
    dim: number,
    heads: number,
    /** Side of the grid of states. */
    private readonly side: number,
    shifted: boolean,
  ) {
    const eps = { eps: config.layerNormEps };
    const inner = Math.floor(config.mlpRatio * dim);
    this.#normBefore = new LayerNorm(params.child('layernorm_before'), dim, eps);
    this.#attention = new ClapAudioAttention(params.child('attention'), config, dim, heads);
    this.#normAfter = new LayerNorm(params.child('layernorm_after'), dim, eps);
    this.#intermediate = new Linear(params.child('intermediate.dense'), dim, inner);
    this.#output = new Linear(params.child('output.dense'), inner, dim);
    // One window that fills the grid has nothing to be shifted against.
    this.#shift = shifted && side > config.windowSize ? Math.floor(config.windowSize / 2) : 0;
  }

  /** @param hidden [B, H · W, C] @returns [B, H · W, C] */
  forward(hidden: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => {
      const attended = tf.tidy(() => tf.add<tf.Tensor3D>(hidden, this.#attend(hidden)));
      const inner = this.#intermediate.forward(this.#normAfter.forward(attended), this.config.hiddenAct);
      return tf.add<tf.Tensor3D>(attended, this.#output.forward(inner));
    });
  }

  #attend(hidden: tf.Tensor3D): tf.Tensor3D {
    const { side } = this;
    const { windowSize } = this.config;
    const [batch, , channels] = hidden.shape;
    const grid = tf.reshape(this.#normBefore.forward(hidden), [batch, side, side, channels]) as tf.Tensor4D;
    const windows = windowPartition(roll(grid, -this.#shift), windowSize);
    const attended = this.#attention.forward(windows, this.#mask());
    const back = roll(windowReverse(attended, windowSize, side, side), this.#shift);
    return tf.reshape(back, [batch, side * side, channels]);
  }

  #mask(): tf.Tensor3D | null {
    if (this.#shift === 0) return null;
    const { windowSize } = this.config;
    const values = shiftedWindowMask(this.side, this.side, windowSize, this.#shift);
    return tf.tensor3d(values, [(this.side / windowSize) ** 2, windowSize ** 2, windowSize ** 2]);
  }
}

/** Four neighbours become one state of twice the width. */
class ClapAudioPatchMerging {
  readonly #norm: LayerNorm;
  readonly #reduction: Linear;

  constructor(
    params: ParameterScope,
    dim: number,
    private readonly side: number,
  ) {
    this.#norm = new LayerNorm(params.child('norm'), 4 * dim);
    this.#reduction = new Linear(params.child('reduction'), 4 * dim, 2 * dim, { bias: false });
  }

  /** @param hidden [B, H · W, C] @returns [B, H/2 · W/2, 2 C] */
  forward(hidden: tf.Tensor3D): tf.Tensor3D {
    const { side } = this;
    return tf.tidy(() => {
      const [batch, , channels] = hidden.shape;
      // [B · H/2, row of two, W/2, column of two, C]; upstream's order is column first, then row.
      const pairs = tf.reshape(hidden, [(batch * side) / 2, 2, side / 2, 2, channels]);
      const merged = tf.reshape(tf.transpose(pairs, [0, 2, 3, 1, 4]), [
        batch,
        (side / 2) ** 2,
        4 * channels,
      ]) as tf.Tensor3D;
      return this.#reduction.forward(this.#norm.forward(merged)) as tf.Tensor3D;
    });
  }
}

/** Blocks on one grid, and what halves the grid behind them (not behind the last stage). */
export class ClapAudioStage {
  readonly #blocks: readonly ClapAudioLayer[];
  readonly #downsample: ClapAudioPatchMerging | null;

  constructor(params: ParameterScope, config: ClapAudioConfig, index: number) {
    const dim = config.patchEmbedsHiddenSize * 2 ** index;
    const side = config.specSize / config.patchStride / 2 ** index;
    this.#blocks = Array.from(
      { length: config.depths[index]! },
      (_, i) =>
        new ClapAudioLayer(
          params.child(`blocks.${i}`),
          config,
          dim,
          config.numAttentionHeads[index]!,
          side,
          i % 2 === 1,
        ),
    );
    this.#downsample =
      index < config.depths.length - 1
        ? new ClapAudioPatchMerging(params.child('downsample'), dim, side)
        : null;
  }

  /** @param hidden [B, H · W, C] @returns [B, H · W, C], or [B, H/2 · W/2, 2 C] */
  forward(hidden: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => {
      let x = hidden;
      for (const layer of [...this.#blocks, ...(this.#downsample ? [this.#downsample] : [])]) {
        const next = layer.forward(x);
        if (x !== hidden) x.dispose();
        x = next;
      }
      return x;
    });
  }
}
