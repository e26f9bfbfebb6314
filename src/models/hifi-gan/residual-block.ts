import * as tf from '@tensorflow/tfjs-core';
import { leakyRelu } from '../../gpu/kernels';
import { Conv1d, type ParameterScope, runInSequence } from '../../nn';

/**
 * Pairs of convolutions, a dilated and a plain one, each behind a leaky ReLU, with a residual around every pair
 * (transformers' `HifiGanResidualBlock`). Its reach on each side is (k − 1) / 2 · sum of (dilation + 1).
 */
export class HifiGanResidualBlock {
  readonly #pairs: readonly ConvolutionPair[];

  constructor(
    params: ParameterScope,
    channels: number,
    kernelSize: number,
    dilations: readonly number[],
    slope: number,
  ) {
    this.#pairs = dilations.map(
      (dilation, i) =>
        new ConvolutionPair(
          convolution(params.child(`convs1.${i}`), channels, kernelSize, dilation),
          convolution(params.child(`convs2.${i}`), channels, kernelSize, 1),
          slope,
        ),
    );
  }

  /** @param x [B, T, C] @returns a new tensor, [B, T, C] */
  forward(x: tf.Tensor3D): tf.Tensor3D {
    return runInSequence(x, this.#pairs);
  }
}

class ConvolutionPair {
  constructor(
    private readonly dilated: Conv1d,
    private readonly plain: Conv1d,
    private readonly slope: number,
  ) {}

  forward(x: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => {
      const hidden = tf.tidy(() => this.dilated.forward(leakyRelu(x, this.slope)));
      return tf.add<tf.Tensor3D>(x, this.plain.forward(leakyRelu(hidden, this.slope)));
    });
  }
}

function convolution(params: ParameterScope, channels: number, kernelSize: number, dilation: number): Conv1d {
  return new Conv1d(params, channels, channels, kernelSize, {
    dilation,
    padding: ((kernelSize - 1) / 2) * dilation,
  });
}
