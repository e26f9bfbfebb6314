import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../../common/assert';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import type { WeightTensor } from '../../weight-tensor';
import { defineKernel } from '../common/define-kernel';
import { onWasm } from '../common/mat-mul';
import { requireTrainable, type WeightFormat, weightFormat, weightValues } from '../common/weight-values';
import { conv2d } from '../conv2d/conv2d';
import { filterGradient, inputGradient } from '../convolution/convolution-gradients';
import { type ConvolutionGeometry, convolve } from '../convolution/convolve';
import { upsampleConvolveOnWasm } from '../convolution/convolve-on-wasm';
import { upsampledInputGradientOnWasm } from '../convolution/gradients-on-wasm';
import { sumOverRows } from '../convolution/sum-over-rows';
import { deferProduct } from '../product/product';
import type { ProductGeometry } from '../product/product-program';
import { upsampleNearest2x } from '../upsample-nearest/upsample-nearest';

interface UpsampleConv2dInputs {
  readonly x: tf.Tensor; // [B, H, W, Cin]
  readonly weight: tf.Tensor; // [3, 3, Cin, Cout], or its packed halves
  readonly bias: tf.Tensor | undefined; // [Cout]
  readonly [name: string]: tf.Tensor | undefined;
}

interface UpsampleConv2dAttributes {
  readonly weight: WeightFormat;
}

/**
 * Below this many positions adding up the taps costs more than the products that it saves (measured on wasm: 1.7 times
 * as fast from 512 positions on, slower at 128).
 */
const MIN_POSITIONS = 256;

const upsampleConv2dKernel = defineKernel<UpsampleConv2dInputs, UpsampleConv2dAttributes>({
  name: 'UpsampleConv2d',
  forward: ({ x, weight, bias }, attributes) =>
    fourPhases(x as tf.Tensor4D, weightValues({ ...attributes.weight, tensor: weight }), bias),
  onWasm: (kernels, { x, weight, bias }, attributes) =>
    upsampleConvolveOnWasm(kernels, x, weight, bias, attributes.weight.shape[3]!),
  onWebGpu: ({ x, weight, bias }, attributes) => {
    const [batch, H, W, inChannels] = x.shape as [number, number, number, number];
    const outChannels = attributes.weight.shape[3]!;
    const product: ProductGeometry = {
      batch,
      inSize: [H, W],
      outSize: [2 * H, 2 * W],
      inChannels,
      outChannels,
      taps: [3, 3],
      strides: [1, 1],
      dilations: [1, 1],
      before: [1, 1],
      upsample: 1,
    };
    return deferProduct(x, weight, bias, product, [batch, 2 * H, 2 * W, outChannels]);
  },
  gradients: (dy, { x, weight }, attributes) => ({
    x: () => {
      const kernels = wasmKernels();
      if (kernels) {
        return kernels.tensor(upsampledInputGradientOnWasm(kernels, dy, weight, attributes.weight.shape));
      }
      const [B, H, W, C] = x.shape as [number, number, number, number];
      const { dtype, shape } = attributes.weight;
      const upsampled = inputGradient(
        dy as tf.Tensor4D,
        [B, 2 * H, 2 * W, C],
        { tensor: weight, dtype },
        geometry(shape),
      );
      return tf.mul(tf.avgPool(upsampled, 2, 2, 'valid'), 4); // each position was repeated four times
    },
    weight: () => {
      requireTrainable(attributes.weight);
      const { shape } = attributes.weight;
      return filterGradient(dy as tf.Tensor4D, upsampleNearest2x(x as tf.Tensor4D), geometry(shape));
    },
    bias: () => sumOverRows(dy),
  }),
});

/** Of the convolution over the upsampled image. */
function geometry(shape: readonly number[]): ConvolutionGeometry {
  return {
    filterShape: shape as [number, number, number, number],
    strides: [1, 1],
    dilations: [1, 1],
    padding: [
      [1, 1],
      [1, 1],
    ],
  };
}

/**
 * Three taps over an image of pairs meet two different pixels: at even output rows the tap above meets the pixel
 * above and the other two one pixel, at odd rows the lower tap meets the pixel below. So each of the four phases
 * (even and odd rows and columns) is a 2 x 2 convolution of the small image with taps added up: 16 products in place
 * of 36, and no large image in between.
 */
function fourPhases(x: tf.Tensor4D, weight: tf.Tensor4D, bias: tf.Tensor | undefined): tf.Tensor4D {
  const [B, H, W] = x.shape;
  const outChannels = weight.shape[3];
  const rows = pairTaps(weight, 0).map((rowTaps, row) => {
    const columns = pairTaps(rowTaps, 1).map((filter, column) =>
      convolve(x, filter, bias, {
        strides: [1, 1],
        dilations: [1, 1],
        padding: [
          [1 - row, row],
          [1 - column, column],
        ],
      }),
    ); // 2 of [B, H, W, Cout]
    return tf.reshape(tf.concat(columns, 3), [B, H, 2 * W * outChannels]);
  });
  return tf.reshape(tf.concat(rows, 2), [B, 2 * H, 2 * W, outChannels]);
}

/** Taps (a, b, c) along an axis as those of the even phase, (a, b + c), and of the odd one, (a + b, c). */
function pairTaps(filter: tf.Tensor4D, axis: 0 | 1): readonly [tf.Tensor4D, tf.Tensor4D] {
  const [a, b, c] = tf.split(filter, 3, axis) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D];
  return [tf.concat([a, tf.add<tf.Tensor4D>(b, c)], axis), tf.concat([tf.add<tf.Tensor4D>(a, b), c], axis)];
}

/**
 * Nearest-neighbour upsampling by two, then a 3 x 3 convolution with padding 1 (diffusers' `Upsample2D`).
 *
 * @param x [B, H, W, Cin]
 * @param weight [3, 3, Cin, Cout]
 * @param bias [Cout]
 * @param minPositions of one image, from which on the four phases are computed on wasm; for tests
 * @returns [B, 2 H, 2 W, Cout]
 */
export function upsampleConv2d(
  x: tf.Tensor4D,
  weight: WeightTensor,
  bias?: WeightTensor | null,
  minPositions = MIN_POSITIONS,
): tf.Tensor4D {
  matchShape(`upsampleConv2d ${weight.name}: weight`, weight.shape, [3, 3, 'Cin', 'Cout']);
  matchShape(`upsampleConv2d ${weight.name}: x`, x.shape, ['B', 'H', 'W', weight.shape[2]!]);
  if (onWasm() && !wasmKernels() && x.shape[1] * x.shape[2] < minPositions) {
    return tf.tidy(() => conv2d(upsampleNearest2x(x), weight, bias, { padding: 1 }));
  }
  const inputs = { x, weight: weight.tensor, bias: bias?.tensor };
  return upsampleConv2dKernel(inputs, { weight: weightFormat(weight) }) as tf.Tensor4D;
}
