import * as tf from '@tensorflow/tfjs-core';
import { elementCount, matchShape } from '../../../common/assert';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import type { WeightTensor } from '../../weight-tensor';
import { type Activation, activate } from '../activations/activations';
import { defineKernel } from '../common/define-kernel';
import { matMul } from '../common/mat-mul';
import { turnedWeight } from '../common/turned-weight';
import { requireTrainable, type WeightFormat, weightFormat, weightValues } from '../common/weight-values';
import { linearInputGradientOnWasm, linearOnWasm } from '../convolution/convolve-on-wasm';
import { linearWeightGradientOnWasm } from '../convolution/gradients-on-wasm';
import { sumOverRows } from '../convolution/sum-over-rows';
import { deferProduct } from '../product/product';
import { rowsGeometry } from '../product/product-program';

interface LinearInputs {
  readonly x: tf.Tensor; // [..., in]
  readonly weight: tf.Tensor; // [in, out], or its packed halves
  readonly bias: tf.Tensor | undefined; // [out]
  readonly [name: string]: tf.Tensor | undefined;
}

/** All leading axes as one: XNNPACK's product on wasm takes no batch, and a GPU tile is fuller. */
function asRows(x: tf.Tensor): tf.Tensor2D {
  const width = x.shape.at(-1) ?? 1;
  return tf.reshape(x, [elementCount(x.shape.slice(0, -1)), width]);
}

const linearKernel = defineKernel<LinearInputs, { readonly weight: WeightFormat }>({
  name: 'Linear',
  forward: ({ x, weight, bias }, attributes) => {
    const b = weightValues<tf.Tensor2D>({ ...attributes.weight, tensor: weight });
    const rows = tf.fused.matMul({ a: asRows(x), b, ...(bias ? { bias } : {}) }); // [M, out]
    return tf.reshape(rows, [...x.shape.slice(0, -1), b.shape[1]]);
  },
  onWasm: (kernels, { x, weight, bias }, { weight: { shape } }) =>
    linearOnWasm(kernels, x, weight, bias, shape as [number, number]),
  onWebGpu: ({ x, weight, bias }, { weight: { shape } }) => {
    const [inChannels, outChannels] = shape as [number, number];
    const leading = x.shape.slice(0, -1);
    const rows = elementCount(leading);
    return deferProduct(x, weight, bias, rowsGeometry(rows, inChannels, outChannels), [
      ...leading,
      outChannels,
    ]);
  },
  gradients: (dy, { x, weight }, attributes) => ({
    x: () => {
      const kernels = wasmKernels();
      const shape = attributes.weight.shape as [number, number];
      if (kernels) return kernels.tensor(linearInputGradientOnWasm(kernels, dy, weight, shape));
      const turned = turnedWeight({ ...attributes.weight, tensor: weight }); // [out, in]
      return tf.reshape(matMul(asRows(dy), turned), x.shape);
    },
    weight: () => {
      requireTrainable(attributes.weight);
      const kernels = wasmKernels();
      if (kernels) return kernels.tensor(linearWeightGradientOnWasm(kernels, x, dy));
      return matMul(asRows(x), asRows(dy), 'a'); // [in, out]
    },
    bias: () => sumOverRows(dy),
  }),
});

/**
 * x W + b over the last axis.
 *
 * @param x [..., in]
 * @param weight [in, out]
 * @param bias [out]
 * @returns [..., out]
 */
export function linear(
  x: tf.Tensor,
  weight: WeightTensor,
  bias?: WeightTensor | null,
  activation?: Activation,
): tf.Tensor {
  matchShape(`linear ${weight.name}: x`, x.shape, ['...', weight.shape[0]!]);
  return tf.tidy(() => {
    const inputs = { x, weight: weight.tensor, bias: bias?.tensor };
    return activate(linearKernel(inputs, { weight: weightFormat(weight) }), activation);
  });
}
