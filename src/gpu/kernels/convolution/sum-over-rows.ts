import * as tf from '@tensorflow/tfjs-core';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import { sumOverRowsOnWasm } from './gradients-on-wasm';

/** The sum over all axes but the last, [..., C] -> [C]: the gradient of a bias. */
export function sumOverRows(x: tf.Tensor): tf.Tensor1D {
  const kernels = wasmKernels();
  if (kernels) return kernels.tensor(sumOverRowsOnWasm(kernels, x));
  const channels = x.shape.at(-1)!;
  return tf.sum(tf.reshape(x, [x.size / channels, channels]), 0);
}
