/**
 * Sums, clones, the order of heads and joins on wasm by the studio's own kernels, where these apply: tfjs's broadcasting sum and
 * its transpose are loops over single values, its concat copies row by row from JavaScript, and none uses threads.
 * Importing this file puts them before tfjs's kernels.
 */
// The backend registers its kernels when imported: first, so that it does not put its own back.
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import { type WasmKernels, wasmKernels } from '../../wasm-kernels/wasm-kernels';

type Arguments = Parameters<tf.KernelFunc>[0];

/** Puts `own` before tfjs's kernel, which runs where `own` gives null. */
function precede(
  kernelName: string,
  own: (kernels: WasmKernels, args: Arguments) => tf.TensorInfo | null,
): void {
  const original = tf.getKernel(kernelName, 'wasm');
  tf.unregisterKernel(kernelName, 'wasm');
  tf.registerKernel({
    ...original,
    kernelFunc: (args) => {
      const kernels = wasmKernels();
      return (kernels && own(kernels, args)) ?? original.kernelFunc(args);
    },
  });
}

/** Values in a unit of work, at least. */
const UNIT_VALUES = 8192;

/** How the smaller operand of a sum is repeated: `rows` rows of `run` values, each for `each` runs of the larger one. */
export interface Repetition {
  readonly run: number;
  readonly each: number;
  readonly rows: number;
}

/**
 * @param large the shape of the sum
 * @returns null where `small` is not [leading axes of large, ones, trailing axes of large]
 */
export function repetitionOf(large: readonly number[], small: readonly number[]): Repetition | null {
  if (small.length > large.length) return null;
  const padded = [...Array<number>(large.length - small.length).fill(1), ...small];
  let trailing = large.length;
  while (trailing > 0 && padded[trailing - 1] === large[trailing - 1]) trailing -= 1;
  let leading = 0;
  while (leading < trailing && padded[leading] === large[leading]) leading += 1;
  if (padded.slice(leading, trailing).some((size) => size !== 1)) return null;
  return {
    run: elementCount(large.slice(trailing)),
    each: elementCount(large.slice(leading, trailing)),
    rows: elementCount(large.slice(0, leading)),
  };
}

/** Equal shapes are one run; in parts it can be shared between threads. */
function inParts({ run, each, rows }: Repetition): Repetition {
  if (each !== 1 || rows !== 1) return { run, each, rows };
  const parts = [16, 8, 4, 2].find((n) => run % (4 * n) === 0 && run >= n * 1024) ?? 1;
  return { run: run / parts, each: 1, rows: parts };
}

precede('Add', (kernels, { inputs }) => {
  const { a, b } = inputs as { a: tf.TensorInfo; b: tf.TensorInfo };
  if (a.dtype !== 'float32' || b.dtype !== 'float32') return null;
  const [large, small] = elementCount(a.shape) >= elementCount(b.shape) ? [a, b] : [b, a];
  const repetition = repetitionOf(large.shape, small.shape);
  const count = elementCount(large.shape);
  if (!repetition || repetition.run < 4 || count === 0) return null;
  const { run, each, rows } = inParts(repetition);
  const runs = count / run;
  const perUnit = Math.ceil(UNIT_VALUES / run);
  const y = kernels.output(large.shape);
  const operands = [large, small, y].map((tensor) => kernels.address(tensor));
  kernels.run('add', Math.ceil(runs / perUnit), [...operands, runs, run, each, rows, perUnit]);
  return y;
});

/**
 * The same data under another tensor, as tfjs's reshape has it: its own kernel copies, and the gradient tape clones whatever
 * an op saves, weights too.
 */
precede('Identity', (kernels, { inputs }) => {
  const x = inputs.x as tf.TensorInfo;
  return x.dtype === 'string' ? null : kernels.share(x);
});

/** [A, B, C, D] -> [A, C, B, D] of float32. */
precede('Transpose', (kernels, { inputs, attrs }) => {
  const x = inputs.x as tf.TensorInfo;
  const { perm } = attrs as unknown as { perm: number[] };
  if (x.dtype !== 'float32' || perm.join() !== '0,2,1,3' || elementCount(x.shape) === 0) return null;
  const [outer, rows, columns, depth] = x.shape as [number, number, number, number];
  const y = kernels.output([outer, columns, rows, depth]);
  const bytes = 4 * depth;
  kernels.run('copyBlocks', outer * columns, [
    ...[kernels.address(x), kernels.address(y), outer, columns, rows, bytes],
    ...[rows * columns * bytes, bytes, columns * bytes],
    ...[rows * columns * bytes, rows * bytes, bytes],
  ]);
  return y;
});

precede('Concat', (kernels, { inputs, attrs }) => {
  const parts = Object.values(inputs).filter((part) => elementCount((part as tf.TensorInfo).shape) > 0);
  const tensors = parts as tf.TensorInfo[];
  if (tensors.length === 0 || tensors.some(({ dtype }) => dtype !== 'float32')) return null;
  const first = tensors[0]!.shape;
  const axis = tf.util.parseAxisParam((attrs as unknown as { axis: number }).axis, first)[0]!;
  const outer = elementCount(first.slice(0, axis));
  const widths = tensors.map(({ shape }) => 4 * elementCount(shape.slice(axis)));
  const total = widths.reduce((sum, width) => sum + width, 0);
  const joined = tensors.reduce((sum, { shape }) => sum + shape[axis]!, 0);
  const y = kernels.output(first.map((size, i) => (i === axis ? joined : size)));
  // A unit copies `inner` runs: as many as make its call worth it, and divide the runs.
  let inner = 1;
  while (outer % (2 * inner) === 0 && inner * total < 4 * UNIT_VALUES) inner *= 2;
  let begin = 0;
  tensors.forEach((tensor, i) => {
    const width = widths[i]!;
    kernels.run('copyBlocks', outer / inner, [
      ...[kernels.address(tensor), kernels.address(y) + begin, outer / inner, 1, inner, width],
      ...[inner * width, 0, width, inner * total, 0, total],
    ]);
    begin += width;
  });
  return y;
});
