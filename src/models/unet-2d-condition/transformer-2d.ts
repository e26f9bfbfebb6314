import * as tf from '@tensorflow/tfjs-core';
import { type AdaptableLayer, Conv2d, GroupNorm, Linear, type ParameterScope, runInSequence } from '../../nn';
import type { Attention } from './attention';
import { BasicTransformerBlock, type BasicTransformerBlockOptions } from './basic-transformer-block';
import type { EncoderStates } from './encoder-states';

/** diffusers fixes it for continuous inputs, whatever the UNet's norm_eps. */
const NORM_EPS = 1e-6;

export interface Transformer2DOptions extends BasicTransformerBlockOptions {
  readonly layers: number;
  readonly normNumGroups: number;
  /** The input and output projections are linear layers (Stable Diffusion 2, Tango) or 1x1 convolutions. */
  readonly useLinearProjection: boolean;
}

/** Channels are last, so that a pixel is a token, and a linear layer and a 1x1 convolution are the same. */
type Projection = AdaptableLayer;

/** One after another; `image` itself without any. [B, H, W, C] -> [B, H, W, C] */
export function runTransformers(
  image: tf.Tensor4D,
  transformers: readonly Transformer2DModel[],
  encoder: EncoderStates | null,
): tf.Tensor4D {
  return runInSequence(
    image,
    transformers.map((transformer) => ({ forward: (x: tf.Tensor4D) => transformer.forward(x, encoder) })),
  );
}

/** Transformer blocks over the pixels of an image, added to it (diffusers' `Transformer2DModel`, continuous input). */
export class Transformer2DModel {
  readonly blocks: readonly BasicTransformerBlock[];
  readonly #norm: GroupNorm;
  readonly #projIn: Projection;
  readonly #projOut: Projection;

  constructor(params: ParameterScope, channels: number, options: Transformer2DOptions) {
    const { layers, normNumGroups, useLinearProjection } = options;
    this.#norm = new GroupNorm(params.child('norm'), channels, { groups: normNumGroups, eps: NORM_EPS });
    const projection = (name: string): Projection =>
      useLinearProjection
        ? new Linear(params.child(name), channels, channels)
        : new Conv2d(params.child(name), channels, channels, 1);
    this.#projIn = projection('proj_in');
    this.blocks = Array.from(
      { length: layers },
      (_, i) => new BasicTransformerBlock(params.child(`transformer_blocks.${i}`), channels, options),
    );
    this.#projOut = projection('proj_out');
  }

  crossAttentions(): readonly Attention[] {
    return this.blocks.flatMap((block) => block.crossAttentions());
  }

  adaptableLayers(): readonly AdaptableLayer[] {
    return [this.#projIn, this.#projOut, ...this.blocks.flatMap((block) => block.linears())];
  }

  /** @param image [B, H, W, C] @returns [B, H, W, C] */
  forward(image: tf.Tensor4D, encoder: EncoderStates | null): tf.Tensor4D {
    return tf.tidy(() => {
      const [batch, height, width, channels] = image.shape;
      let hidden = tf.tidy(() =>
        tf.reshape(this.#projIn.forward(this.#norm.forward(image)), [batch, height * width, channels]),
      ) as tf.Tensor3D; // [B, H * W, C]
      for (const block of this.blocks) {
        const next = block.forward(hidden, encoder);
        hidden.dispose();
        hidden = next;
      }
      const pixels = tf.reshape<tf.Rank.R4>(hidden, image.shape);
      return tf.add<tf.Tensor4D>(this.#projOut.forward(pixels), image);
    });
  }
}
