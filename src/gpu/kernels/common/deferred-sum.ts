/** Gradients that wait for the other side of a residual, and add it while they store. */
import type * as tf from '@tensorflow/tfjs-core';
import { type Deferred, deferredResults } from './deferred';
import { type CountedProgram, runProgram, webGpuBackend } from './gpu-program';

/** The program with one more operand, `residual`, that it adds to its result; or without. */
type SumProgram = (addsResidual: boolean) => CountedProgram;

class DeferredSum implements Deferred {
  readonly inputs: readonly tf.TensorInfo[];

  constructor(
    readonly program: SumProgram,
    readonly operands: readonly tf.TensorInfo[],
    readonly residual: tf.TensorInfo | null,
  ) {
    this.inputs = residual ? [...operands, residual] : operands;
  }

  run(output: tf.TensorInfo): void {
    runProgram(webGpuBackend(), this.program(this.residual !== null), this.inputs, output.shape, output);
  }
}

/** The program's result of `shape`, waiting. The operands are computed by now. */
export function deferSum(
  program: SumProgram,
  operands: readonly tf.TensorInfo[],
  shape: readonly number[],
): tf.TensorInfo {
  const results = deferredResults(webGpuBackend());
  for (const { dataId } of operands) results.force(dataId);
  return results.add(shape, new DeferredSum(program, operands, null));
}

/** x + other in the program that x waits for; null when it waits for none that can take it. */
export function addToDeferredSum(x: tf.TensorInfo, other: tf.TensorInfo): tf.TensorInfo | null {
  const results = deferredResults(webGpuBackend());
  const source = results.of(x.dataId);
  const isOfShape =
    x.shape.length === other.shape.length && x.shape.every((size, i) => size === other.shape[i]);
  if (!(source instanceof DeferredSum) || source.residual || other.dtype !== 'float32') return null;
  if (!isOfShape || x.dataId === other.dataId) return null;
  results.force(other.dataId);
  return results.add(x.shape, new DeferredSum(source.program, source.operands, other));
}
