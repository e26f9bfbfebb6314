import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../../gpu/kernels';
import { Linear, type ParameterScope } from '../../nn';
import type { EncoderStates, KeysAndValues, PromptIndex } from './encoder-states';

export interface AttentionOptions {
  /** Width of the attended states; null attends to the queries' own states. */
  readonly contextWidth: number | null;
  /** Which of the prompt's states it looks at: AudioLDM 2 has two. */
  readonly prompt?: PromptIndex;
  readonly heads: number;
}

/**
 * Multi-head attention of the UNet's transformers (diffusers' `Attention`): projections without bias, an output
 * projection with one, logits scaled by 1 / sqrt(D).
 *
 * Activations are float32 throughout, so `upcast_attention` needs no other path.
 */
export class Attention {
  readonly toQ: Linear;
  readonly toK: Linear;
  readonly toV: Linear;
  readonly toOut: Linear;
  readonly width: number;
  readonly contextWidth: number | null;
  readonly prompt: PromptIndex;
  readonly #heads: number;

  constructor(params: ParameterScope, width: number, { contextWidth, heads, prompt = 0 }: AttentionOptions) {
    this.width = width;
    this.contextWidth = contextWidth;
    this.prompt = prompt;
    this.#heads = heads;
    this.toQ = new Linear(params.child('to_q'), width, width, { bias: false });
    this.toK = new Linear(params.child('to_k'), contextWidth ?? width, width, { bias: false });
    this.toV = new Linear(params.child('to_v'), contextWidth ?? width, width, { bias: false });
    this.toOut = new Linear(params.child('to_out.0'), width, width);
  }

  linears(): readonly Linear[] {
    return [this.toQ, this.toK, this.toV, this.toOut];
  }

  /** @param states [B, S, contextWidth] */
  keysAndValues(states: tf.Tensor3D): KeysAndValues {
    return {
      keys: tf.tidy(() => splitHeads(this.toK.forward(states), this.#heads)),
      values: tf.tidy(() => splitHeads(this.toV.forward(states), this.#heads)),
    };
  }

  /**
   * @param hidden [B, L, C]
   * @param encoder the prompt; null attends to `hidden` itself.
   * @returns [B, L, C]
   */
  forward(hidden: tf.Tensor3D, encoder: EncoderStates | null): tf.Tensor3D {
    return tf.tidy(() => {
      const queries = splitHeads(this.toQ.forward(hidden), this.#heads); // [B, N, L, D]
      const { keys, values } = encoder ? encoder.of(this) : this.keysAndValues(hidden);
      const bias = encoder?.biasOf(this);
      const scale = queries.shape[3] ** -0.5;
      const attended = attention(queries, keys, values, bias ? { scale, bias } : { scale });
      return this.toOut.forward(mergeHeads(attended)) as tf.Tensor3D;
    });
  }
}

/** [B, L, N * D] -> [B, N, L, D] */
function splitHeads(states: tf.Tensor, heads: number): tf.Tensor4D {
  const [batch, length, width] = states.shape as [number, number, number];
  return tf.transpose(tf.reshape(states, [batch, length, heads, width / heads]), [0, 2, 1, 3]);
}

/** [B, N, L, D] -> [B, L, N * D] */
function mergeHeads(states: tf.Tensor4D): tf.Tensor3D {
  const [batch, heads, length, depth] = states.shape;
  return tf.reshape(tf.transpose(states, [0, 2, 1, 3]), [batch, length, heads * depth]);
}
