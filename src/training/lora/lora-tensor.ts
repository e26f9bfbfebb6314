import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../common/assert';
import type { AdaptableLayer } from '../../nn';
import { copyFromLayout, copyToLayout, layoutShape } from '../../nn/layout';

/** Shapes of low-rank tensors, in PyTorch's order and in ours. */

/** A tensor in PyTorch's order: a matrix, or the kernel of a convolution. */
export interface LoraTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

export interface LayerSizes {
  readonly inChannels: number;
  readonly outChannels: number;
  /** [kh, kw]; none of a linear layer. */
  readonly kernel: readonly number[];
  /** Numbers that make one of the layer's. */
  readonly fanIn: number;
}

export function sizesOf({ weight }: AdaptableLayer): LayerSizes {
  const [outChannels, inChannels, ...kernel] = weight.torchShape as [number, number, ...number[]];
  return { inChannels, outChannels, kernel, fanIn: inChannels * elementCount(kernel) };
}

/** A kernel of 1x1 and a matrix are the same: some tools write the one, some the other. */
export function asMatrix(shape: readonly number[]): readonly number[] {
  return shape.length === 4 && shape[2] === 1 && shape[3] === 1 ? shape.slice(0, 2) : shape;
}

/** What PyTorch's shape of lora_B has behind its matrix. @param down our shape of lora_A */
export function onesFor(down: readonly number[]): readonly number[] {
  return down.length === 4 ? [1, 1] : [];
}

/** [out, in] -> [in, out], [out, in, kh, kw] -> [kh, kw, in, out] */
export function inOurOrder({ shape, data }: LoraTensor): tf.Tensor {
  const values = new Float32Array(data.length);
  const layout = shape.length === 4 ? 'conv2d' : 'linear';
  copyToLayout(layout, shape, data, values);
  return tf.tensor(values, [...layoutShape(layout, shape)]);
}

/** The inverse of `inOurOrder`. @param shape ours */
export function inTorchOrder(shape: readonly number[], values: Float32Array): LoraTensor {
  const layout = shape.length === 4 ? 'conv2d' : 'linear';
  const [outputs, inputs, ...kernel] = [shape.at(-1)!, shape.at(-2)!, ...shape.slice(0, -2)];
  const torchShape = [outputs, inputs, ...kernel];
  const data = new Float32Array(values.length);
  copyFromLayout(layout, torchShape, values, data);
  return { shape: torchShape, data };
}
