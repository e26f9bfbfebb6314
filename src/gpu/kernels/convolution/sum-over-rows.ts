import * as tf from '@tensorflow/tfjs-core';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { onWasm } from '../common/mat-mul';
import { sumOverRowsOnWasm } from './gradients-on-wasm';
import { SumOverRowsProgram } from './sum-over-rows-program';

/** The sum over all axes but the last, [..., C] -> [C]: the gradient of a bias. */
export function sumOverRows(x: tf.Tensor): tf.Tensor1D {
  const kernels = wasmKernels();
  if (kernels) return kernels.tensor(sumOverRowsOnWasm(kernels, x));
  const channels = x.shape.at(-1)!;
  const rows = x.size / channels;
  return sumOnGpu(x, rows, channels) ?? tf.sum(tf.reshape(x, [rows, channels]), 0);
}

/** Null where tfjs's own ops are asked for, or the channels are no vectors of four. */
function sumOnGpu(x: tf.Tensor, rows: number, channels: number): tf.Tensor1D | null {
  if (onWasm() || channels % 4 !== 0 || x.size === 0) return null;
  const backend = webGpuBackend();
  const variant = kernelVariant(backend);
  if (variant === 'composed') return null;
  const info = runProgram(backend, new SumOverRowsProgram(variant, rows, channels), [x], [channels]);
  return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor1D;
}
