/**
 * The convolution behind conv2d, conv1d and convTranspose1d: strides and dilations in both axes, and the gradients
 * that tfjs lacks (dilation; the filter's gradient on wasm) or computes in a naive loop (the input's on wasm).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { WeightTensor } from '../../weight-tensor';
import { defineKernel } from '../common/define-kernel';
import { requireTrainable, type WeightFormat, weightFormat, weightValues } from '../common/weight-values';
import { deferProduct } from '../product/product';
import type { ProductGeometry } from '../product/product-program';
import { filterGradient, inputGradient } from './convolution-gradients';
import { type ConvolutionGeometry, convolve } from './convolve';

interface ConvolutionInputs {
  readonly x: tf.Tensor; // [B, H, W, Cin]
  readonly weight: tf.Tensor; // filterShape in elements; float32 of any rank, or packed halves
  readonly bias: tf.Tensor | undefined; // [Cout]
  readonly [name: string]: tf.Tensor | undefined;
}

type ConvolutionAttributes = ConvolutionGeometry & { readonly weight: WeightFormat };

/** A view of the weight: the reshape shares its data, so XNNPACK's packed copy of a constant filter stays cached. */
function filterOf(weight: tf.Tensor, attributes: ConvolutionAttributes): tf.Tensor4D {
  return tf.reshape(weightValues({ ...attributes.weight, tensor: weight }), [...attributes.filterShape]);
}

const convolutionKernel = defineKernel<ConvolutionInputs, ConvolutionAttributes>({
  name: 'Convolution',
  forward: ({ x, weight, bias }, attributes) =>
    convolve(x as tf.Tensor4D, filterOf(weight, attributes), bias, attributes),
  onWebGpu: ({ x, weight, bias }, { filterShape, strides, dilations, padding }) => {
    const [kh, kw, inChannels, outChannels] = filterShape;
    const [batch, ...inSize] = x.shape.slice(0, 3) as [number, number, number];
    const outSize = inSize.map((size, axis) => {
      const [before, after] = padding[axis as 0 | 1];
      const reach = dilations[axis as 0 | 1] * (filterShape[axis as 0 | 1] - 1) + 1;
      return Math.floor((size + before + after - reach) / strides[axis as 0 | 1]) + 1;
    }) as [number, number];
    const geometry: ProductGeometry = {
      batch,
      inSize: inSize as [number, number],
      outSize,
      inChannels,
      outChannels,
      taps: [kh, kw],
      strides,
      dilations,
      before: [padding[0][0], padding[1][0]],
      upsample: 0,
    };
    return deferProduct(x, weight, bias, geometry, [batch, ...outSize, outChannels]);
  },
  gradients: (dy, { x, weight }, attributes) => ({
    x: () => inputGradient(dy as tf.Tensor4D, x.shape, filterOf(weight, attributes), attributes),
    weight: () => {
      requireTrainable(attributes.weight);
      return tf.reshape(filterGradient(dy as tf.Tensor4D, x as tf.Tensor4D, attributes), weight.shape);
    },
    bias: () => tf.sum(dy, [0, 1, 2]),
  }),
});

/**
 * @param x [B, H, W, Cin]
 * @param weight filterShape in elements; a 1-D convolution's [k, Cin, Cout] serves as [1, k, Cin, Cout]
 * @param bias [Cout]
 * @returns [B, Hout, Wout, Cout], Hout = floor((H + before + after - dilation (kh - 1) - 1) / stride) + 1
 */
export function convolution(
  x: tf.Tensor4D,
  weight: WeightTensor,
  bias: WeightTensor | null | undefined,
  geometry: ConvolutionGeometry,
): tf.Tensor4D {
  const inputs = { x, weight: weight.tensor, bias: bias?.tensor };
  return convolutionKernel(inputs, { ...geometry, weight: weightFormat(weight) }) as tf.Tensor4D;
}
