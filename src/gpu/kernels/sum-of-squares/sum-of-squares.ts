import * as tf from '@tensorflow/tfjs-core';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { onWasm } from '../common/mat-mul';
import { SumOfSquaresProgram } from './sum-of-squares-program';

/**
 * The sum of the squares of all values of all tensors. Not differentiable. On WebGPU one dispatch a tensor, which adds to
 * what the ones before it left; tfjs sums a tensor by a single workgroup.
 *
 * @param tensors float32, of any shapes
 */
export function sumOfSquares(tensors: readonly tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => {
    if (!onWasm() && kernelVariant(webGpuBackend()) !== 'composed') return tf.sum(onGpu(tensors));
    // The squares of one tensor at a time.
    const squares = tensors.map((tensor) => tf.tidy(() => tf.reshape(tf.sum(tf.square(tensor)), [1])));
    return tf.sum(tf.concat(squares));
  });
}

function onGpu(tensors: readonly tf.Tensor[]): tf.Tensor {
  let sums: tf.Tensor | null = null;
  for (const tensor of tensors) {
    if (tensor.size === 0) continue;
    const program = new SumOfSquaresProgram(tensor.size, sums !== null);
    const operands: tf.Tensor[] = sums ? [tensor, sums] : [tensor];
    const info = runProgram(webGpuBackend(), program, operands, program.outputShape);
    sums?.dispose();
    sums = tf.engine().makeTensorFromTensorInfo(info);
  }
  return sums ?? tf.zeros([1]);
}
