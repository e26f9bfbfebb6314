import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import type { WeightTensor } from '../../weight-tensor';
import { runProgram, webGpuBackend } from './gpu-program';
import { kernelVariant } from './kernel-variant';
import { TurnedWeightProgram } from './turned-weight-program';
import { weightValues } from './weight-values';

/**
 * What gradients of inputs multiply with: W with its last two axes swapped and those before them reversed. On WebGPU one
 * pass, which unpacks halves on its way.
 *
 * @param weight [kh, kw, Cin, Cout] or [Cin, Cout]
 * @returns float32 [kh, kw, Cout, Cin] or [Cout, Cin], a temporary of the surrounding tidy
 */
export function turnedWeight<T extends tf.Tensor>({ tensor, dtype, shape }: Omit<WeightTensor, 'name'>): T {
  const [rows, columns] = shape.slice(-2) as [number, number];
  const taps = shape.slice(0, -2);
  const turned = [...taps, columns, rows];
  if (hasProgram(rows, columns)) {
    const program = new TurnedWeightProgram(elementCount(taps), rows, columns, dtype === 'float16');
    return tf.engine().makeTensorFromTensorInfo(runProgram(webGpuBackend(), program, [tensor], turned)) as T;
  }
  const values = tf.reshape(weightValues({ tensor, dtype, shape }), [...shape]);
  const axes = taps.map((_, axis) => axis);
  const reversed = axes.length > 0 ? tf.reverse(values, axes) : values;
  return tf.transpose(reversed, [...axes, shape.length - 1, shape.length - 2]) as T;
}

function hasProgram(rows: number, columns: number): boolean {
  if (tf.getBackend() !== 'webgpu' || kernelVariant(webGpuBackend()) === 'composed') return false;
  return rows % 4 === 0 && columns % 4 === 0 && rows * columns > 0;
}
