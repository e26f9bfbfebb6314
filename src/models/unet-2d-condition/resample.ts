import * as tf from '@tensorflow/tfjs-core';
import { upsampleConv2d, upsampleNearest2x } from '../../gpu/kernels';
import { type AdaptableLayer, Conv2d, type ParameterScope } from '../../nn';

/** Halves an image by a strided 3x3 convolution (diffusers' `Downsample2D`). */
export class Downsample2D {
  readonly #conv: Conv2d;

  /** @param padding 1 on every side; 0 stands for one row and column at the far ends only, as in diffusers. */
  constructor(params: ParameterScope, channels: number, padding: number) {
    this.#conv = new Conv2d(params.child('conv'), channels, channels, 3, {
      stride: 2,
      padding:
        padding === 0
          ? [
              [0, 1],
              [0, 1],
            ]
          : padding,
    });
  }

  adaptableLayers(): readonly AdaptableLayer[] {
    return [this.#conv];
  }

  /** @param image [B, H, W, C] @returns [B, ceil(H / 2), ceil(W / 2), C] with padding 1 */
  forward(image: tf.Tensor4D): tf.Tensor4D {
    return this.#conv.forward(image);
  }
}

/** Doubles an image by repeating pixels, then a 3x3 convolution (diffusers' `Upsample2D`). */
export class Upsample2D {
  readonly #conv: Conv2d;

  constructor(params: ParameterScope, channels: number) {
    this.#conv = new Conv2d(params.child('conv'), channels, channels, 3, { padding: 1 });
  }

  adaptableLayers(): readonly AdaptableLayer[] {
    return [this.#conv];
  }

  /**
   * @param image [B, H, W, C]
   * @param outputSize height and width; twice the input's when not given.
   */
  forward(image: tf.Tensor4D, outputSize?: readonly [number, number]): tf.Tensor4D {
    const isTwice =
      !outputSize || (outputSize[0] === 2 * image.shape[1] && outputSize[1] === 2 * image.shape[2]);
    const { weight, bias, adapter } = this.#conv;
    if (!isTwice) return tf.tidy(() => this.#conv.forward(upsampleNearest2x(image, outputSize)));
    if (!adapter) return upsampleConv2d(image, weight, bias);
    return tf.tidy(() => {
      const delta = adapter.delta(upsampleNearest2x(image, outputSize));
      return tf.add<tf.Tensor4D>(upsampleConv2d(image, weight, bias), delta);
    });
  }
}
