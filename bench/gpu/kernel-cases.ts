import type * as tf from '@tensorflow/tfjs-core';
import {
  attention,
  conv1d,
  conv2d,
  convTranspose1d,
  geglu,
  groupNorm,
  layerNorm,
  linear,
  upsampleConv2d,
} from '../../src/gpu/kernels';
import type { WeightTensor } from '../../src/gpu/weight-tensor';

export interface KernelCase {
  readonly x: tf.Tensor;
  readonly run: (x: tf.Tensor) => tf.Tensor;
}

/** Makes a tensor of a shape; halves are two to a value. */
export type Fill = <R extends tf.Rank>(
  shape: readonly number[],
  kind?: 'float32' | 'halves' | 'ones',
) => tf.Tensor<R>;

/** Kernels at the sizes of Tango 2's UNet and vocoder (a clip of 10.24 s, guided), channels divided by `s`. */
export function kernelCases(filled: Fill, s: number): Readonly<Record<string, KernelCase>> {
  const half = (...shape: number[]): WeightTensor => ({
    name: 'weight',
    shape,
    dtype: 'float16',
    tensor: filled([Math.ceil(shape.reduce((a, b) => a * b, 1) / 2)], 'halves'),
  });
  const full = (...shape: number[]): WeightTensor => ({
    name: 'bias',
    shape,
    dtype: 'float32',
    tensor: filled(shape),
  });
  return {
    'conv2d 3x3, [2, 128, 16, 320] to 320': {
      x: filled([2, 128, 16, 320 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          conv2d(x as tf.Tensor4D, w, b, { padding: 1 })
      )(half(3, 3, 320 / s, 320 / s), full(320 / s)),
    },
    'conv2d 3x3, [2, 64, 8, 640] to 640': {
      x: filled([2, 64, 8, 640 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          conv2d(x as tf.Tensor4D, w, b, { padding: 1 })
      )(half(3, 3, 640 / s, 640 / s), full(640 / s)),
    },
    'conv2d 3x3, [2, 32, 4, 1280] to 1280': {
      x: filled([2, 32, 4, 1280 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          conv2d(x as tf.Tensor4D, w, b, { padding: 1 })
      )(half(3, 3, 1280 / s, 1280 / s), full(1280 / s)),
    },
    'conv2d 3x3, [2, 16, 2, 2560] to 1280': {
      x: filled([2, 16, 2, 2560 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          conv2d(x as tf.Tensor4D, w, b, { padding: 1 })
      )(half(3, 3, 2560 / s, 1280 / s), full(1280 / s)),
    },
    'upsampleConv2d, [2, 32, 4, 1280] to 1280': {
      x: filled([2, 32, 4, 1280 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          upsampleConv2d(x as tf.Tensor4D, w, b)
      )(half(3, 3, 1280 / s, 1280 / s), full(1280 / s)),
    },
    'linear, [2, 2048, 320] to 2560': {
      x: filled([2, 2048, 320 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          linear(x, w, b)
      )(half(320 / s, 2560 / s), full(2560 / s)),
    },
    'linear, [2, 512, 640] to 5120': {
      x: filled([2, 512, 640 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          linear(x, w, b)
      )(half(640 / s, 5120 / s), full(5120 / s)),
    },
    'linear, [2, 128, 1280] to 1280': {
      x: filled([2, 128, 1280 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          linear(x, w, b)
      )(half(1280 / s, 1280 / s), full(1280 / s)),
    },
    'linear, [2, 1280] to 1280 (thin)': {
      x: filled([2, 1280 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          linear(x, w, b)
      )(half(1280 / s, 1280 / s), full(1280 / s)),
    },
    'attention, 2 x 5 heads of 64, 2048 queries and keys': {
      x: filled([2, 5, 2048 / s, 64]),
      run: (x) => attention(x as tf.Tensor4D, x as tf.Tensor4D, x as tf.Tensor4D, { scale: 0.125 }),
    },
    'attention, 2 x 20 heads of 64, 128 queries and keys': {
      x: filled([2, 20, 128 / s, 64]),
      run: (x) => attention(x as tf.Tensor4D, x as tf.Tensor4D, x as tf.Tensor4D, { scale: 0.125 }),
    },
    'groupNorm with silu, [2, 128, 16, 320] in 32': {
      x: filled([2, 128, 16, 320]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          groupNorm(x, w, b, { groups: 32, eps: 1e-5, activation: 'silu' })
      )(full(320), full(320)),
    },
    'layerNorm, [2, 2048, 320]': {
      x: filled([2, 2048, 320]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          layerNorm(x, w, b, { eps: 1e-5 })
      )(full(320), full(320)),
    },
    'geglu, [2, 2048, 2 x 1280]': { x: filled([2, 2048, 2560]), run: (x) => geglu(x) },
    'convTranspose1d, [1, 1024, 1024] to 512, stride 5': {
      x: filled([1, 1024 / s, 1024 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          convTranspose1d(x as tf.Tensor3D, w, b, { stride: 5, padding: 5 })
      )(half(16, 512 / s, 1024 / s), full(512 / s)),
    },
    'conv1d, [1, 5120, 512], 11 taps, dilation 5': {
      x: filled([1, 5120 / s, 512 / s]),
      run: (
        (w, b) => (x: tf.Tensor) =>
          conv1d(x as tf.Tensor3D, w, b, { padding: 25, dilation: 5 })
      )(half(11, 512 / s, 512 / s), full(512 / s)),
    },
  };
}
