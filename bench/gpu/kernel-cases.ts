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

  /** 3 x 3, on two images of `size` [H, W]. */
  const conv3x3 = (size: readonly number[], channels: number, outChannels: number): KernelCase => {
    const weight = half(3, 3, channels / s, outChannels / s);
    const bias = full(outChannels / s);
    return {
      x: filled([2, ...size, channels / s]),
      run: (x) => conv2d(x as tf.Tensor4D, weight, bias, { padding: 1 }),
    };
  };
  /** On rows [2, ...`rows`]. */
  const dense = (rows: readonly number[], inFeatures: number, outFeatures: number): KernelCase => {
    const weight = half(inFeatures / s, outFeatures / s);
    const bias = full(outFeatures / s);
    return { x: filled([2, ...rows, inFeatures / s]), run: (x) => linear(x, weight, bias) };
  };
  const selfAttention = (heads: number, length: number): KernelCase => ({
    x: filled([2, heads, length / s, 64]),
    run: (x) => attention(x as tf.Tensor4D, x as tf.Tensor4D, x as tf.Tensor4D, { scale: 0.125 }),
  });

  const gain = full(320);
  const shift = full(320);
  const upsampleWeight = half(3, 3, 1280 / s, 1280 / s);
  const upsampleBias = full(1280 / s);
  const transposeWeight = half(16, 1024 / s, 512 / s);
  const dilatedWeight = half(11, 512 / s, 512 / s);
  const vocoderBias = full(512 / s);
  return {
    'conv2d 3x3, [2, 128, 16, 320] to 320': conv3x3([128, 16], 320, 320),
    'conv2d 3x3, [2, 64, 8, 640] to 640': conv3x3([64, 8], 640, 640),
    'conv2d 3x3, [2, 32, 4, 1280] to 1280': conv3x3([32, 4], 1280, 1280),
    'conv2d 3x3, [2, 16, 2, 2560] to 1280': conv3x3([16, 2], 2560, 1280),
    'upsampleConv2d, [2, 32, 4, 1280] to 1280': {
      x: filled([2, 32, 4, 1280 / s]),
      run: (x) => upsampleConv2d(x as tf.Tensor4D, upsampleWeight, upsampleBias),
    },
    'linear, [2, 2048, 320] to 2560': dense([2048], 320, 2560),
    'linear, [2, 512, 640] to 5120': dense([512], 640, 5120),
    'linear, [2, 128, 1280] to 1280': dense([128], 1280, 1280),
    'linear, [2, 1280] to 1280 (thin)': dense([], 1280, 1280),
    'attention, 2 x 5 heads of 64, 2048 queries and keys': selfAttention(5, 2048),
    'attention, 2 x 20 heads of 64, 128 queries and keys': selfAttention(20, 128),
    'groupNorm with silu, [2, 128, 16, 320] in 32': {
      x: filled([2, 128, 16, 320]),
      run: (x) => groupNorm(x, gain, shift, { groups: 32, eps: 1e-5, activation: 'silu' }),
    },
    'layerNorm, [2, 2048, 320]': {
      x: filled([2, 2048, 320]),
      run: (x) => layerNorm(x, gain, shift, { eps: 1e-5 }),
    },
    'geglu, [2, 2048, 2 x 1280]': { x: filled([2, 2048, 2560]), run: (x) => geglu(x) },
    'convTranspose1d, [1, 1024, 1024] to 512, stride 5': {
      x: filled([1, 1024 / s, 1024 / s]),
      run: (x) => convTranspose1d(x as tf.Tensor3D, transposeWeight, vocoderBias, { stride: 5, padding: 5 }),
    },
    'conv1d, [1, 5120, 512], 11 taps, dilation 5': {
      x: filled([1, 5120 / s, 512 / s]),
      run: (x) => conv1d(x as tf.Tensor3D, dilatedWeight, vocoderBias, { padding: 25, dilation: 5 }),
    },
  };
}
