import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../../gpu/kernels';
import { GroupNorm, Linear, type ParameterScope } from '../../nn';

/**
 * Attention of every position of an image to every other, one head as wide as the channels, with a norm before and a
 * residual around it (diffusers' `Attention` as the mid block builds it).
 *
 * Its reach is the whole image: a tiled decode of a model with it is an approximation, without it tiles that overlap
 * by the convolutions' reach are exact but for the group norms' statistics.
 */
export class MidBlockAttention {
  readonly #groupNorm: GroupNorm;
  readonly #toQ: Linear;
  readonly #toK: Linear;
  readonly #toV: Linear;
  readonly #toOut: Linear;

  constructor(params: ParameterScope, channels: number, norm: { groups: number; eps: number }) {
    this.#groupNorm = new GroupNorm(params.child('group_norm'), channels, norm);
    this.#toQ = new Linear(params.child('to_q'), channels, channels);
    this.#toK = new Linear(params.child('to_k'), channels, channels);
    this.#toV = new Linear(params.child('to_v'), channels, channels);
    this.#toOut = new Linear(params.child('to_out.0'), channels, channels);
  }

  /** @param x [B, H, W, C] @returns [B, H, W, C] */
  forward(x: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => {
      const [batch, height, width, channels] = x.shape;
      const attended = tf.tidy(() => {
        const normed = tf.reshape(this.#groupNorm.forward(x), [batch, 1, height * width, channels]);
        const [q, k, v] = [this.#toQ, this.#toK, this.#toV].map((to) => to.forward(normed) as tf.Tensor4D); // [B, 1, HW, C]
        return attention(q!, k!, v!, { scale: channels ** -0.5 }); // [B, 1, HW, C]
      });
      const out = tf.reshape(this.#toOut.forward(attended), [batch, height, width, channels]);
      return tf.add<tf.Tensor4D>(x, out);
    });
  }
}
