/**
 * The convolution behind conv2d, conv1d and convTranspose1d: strides and dilations in both axes, and the gradients
 * that tfjs lacks (dilation; the filter's gradient on wasm) or computes in a naive loop (the input's on wasm).
 */
import * as tf from '@tensorflow/tfjs-core';
import type { WeightTensor } from '../../weight-tensor';
import { defineKernel } from '../common/define-kernel';
import { requireTrainable, type WeightFormat, weightFormat, weightValues } from '../common/weight-values';
import { deferProduct } from '../product/product';
import { filterGradient, inputGradient } from './convolution-gradients';
import { type ConvolutionGeometry, convolve, productGeometry } from './convolve';
import { convolveOnWasm } from './convolve-on-wasm';
import { sumOverRows } from './sum-over-rows';

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
  onWasm: (kernels, { x, weight, bias }, attributes) =>
    convolveOnWasm(kernels, x, weight, bias, productGeometry(x.shape, attributes)),
  onWebGpu: ({ x, weight, bias }, attributes) => {
    const geometry = productGeometry(x.shape, attributes);
    const shape = [geometry.batch, ...geometry.outSize, geometry.outChannels];
    return deferProduct(x, weight, bias, geometry, shape);
  },
  gradients: (dy, { x, weight }, attributes) => ({
    x: () => {
      const { dtype } = attributes.weight;
      return inputGradient(dy as tf.Tensor4D, x.shape, { tensor: weight, dtype }, attributes);
    },
    weight: () => {
      requireTrainable(attributes.weight);
      return tf.reshape(filterGradient(dy as tf.Tensor4D, x as tf.Tensor4D, attributes), weight.shape);
    },
    bias: () => sumOverRows(dy),
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
