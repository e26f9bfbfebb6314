/**
 * Slice on wasm without a detour: tfjs's kernel first copies the whole input out of the heap into a new JavaScript
 * array (`readSync`), whatever is asked for, so that taking one head of an attention costs all of them and feeds the
 * garbage collector. This one copies the asked-for rows inside the heap. Importing this file replaces the kernel.
 */
import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
// The backend registers its kernels when imported: first, so that it does not put its own back.
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';

/** Below this many elements a loop is faster than `subarray` and `set`. */
const SHORT_RUN = 32;

/** A run of consecutive elements that is copied at once. */
interface Runs {
  /** Elements a run. */
  readonly length: number;
  /** Where the runs begin in the input, in the order of the output. */
  readonly offsets: readonly number[];
}

/** Cuts a slice into runs: the last axes that are taken whole, and the one before them, lie side by side. */
export function sliceRuns(shape: readonly number[], begin: readonly number[], size: readonly number[]): Runs {
  let axis = shape.length;
  while (axis > 0 && size[axis - 1] === shape[axis - 1]) axis -= 1;
  const outer = Math.max(0, axis - 1);
  const length = elementCount(size.slice(outer));
  const stride = (of: number): number => elementCount(shape.slice(of + 1));
  let offsets = [begin.reduce((sum, from, i) => sum + from * stride(i), 0)];
  for (let i = 0; i < outer; i += 1) {
    const step = stride(i);
    offsets = offsets.flatMap((offset) => Array.from({ length: size[i]! }, (_, n) => offset + n * step));
  }
  return { length, offsets };
}

const original = tf.getKernel('Slice', 'wasm');

function slice(args: Parameters<typeof original.kernelFunc>[0]): ReturnType<typeof original.kernelFunc> {
  const x = args.inputs.x as tf.TensorInfo;
  const attributes = args.attrs as unknown as {
    readonly begin: number | number[];
    readonly size: number | number[];
  };
  const [begin, size] = tf.slice_util.parseSliceParams(x as tf.Tensor, attributes.begin, attributes.size);
  if (x.dtype === 'string' || elementCount(size!) === 0) return original.kernelFunc(args);
  const backend = args.backend as BackendWasm;
  const out = backend.makeOutput(size!, x.dtype);
  // The views are taken after the allocation, which may have moved the heap.
  const source = backend.typedArrayFromHeap(x);
  const target = backend.typedArrayFromHeap(out);
  const { length, offsets } = sliceRuns(x.shape, begin!, size!);
  offsets.forEach((offset, run) => {
    const position = run * length;
    if (length >= SHORT_RUN) target.set(source.subarray(offset, offset + length), position);
    else for (let i = 0; i < length; i += 1) target[position + i] = source[offset + i]!;
  });
  return out;
}

tf.unregisterKernel('Slice', 'wasm');
tf.registerKernel({ ...original, kernelFunc: slice });
