import * as tf from '@tensorflow/tfjs-core';

/** Of the rows and of the columns of an image. */
export type Pair<T> = readonly [T, T];

export interface ConvolutionGeometry {
  /** [kh, kw, Cin, Cout] */
  readonly filterShape: readonly [number, number, number, number];
  readonly strides: Pair<number>;
  readonly dilations: Pair<number>;
  /** Zeros [before, after] the rows, and the columns. */
  readonly padding: Pair<Pair<number>>;
}

/** A convolution with zero padding, plain tfjs. */
export function convolve(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  bias: tf.Tensor | undefined,
  { strides, dilations, padding: [rows, columns] }: Omit<ConvolutionGeometry, 'filterShape'>,
): tf.Tensor4D {
  return tf.fused.conv2d({
    x,
    filter,
    strides: [...strides],
    dilations: [...dilations],
    pad: [[0, 0], [...rows], [...columns], [0, 0]],
    dimRoundingMode: 'floor',
    ...(bias ? { bias } : {}),
  });
}
