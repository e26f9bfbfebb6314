/**
 * Transposes around an attention that are never carried out: [B, L, N, D] seen as [B, N, L, D] waits as a view, programs
 * read through it, and write their results in the order that the transpose behind them asks for. Importing this file puts
 * it before tfjs's own transpose, which does every other one.
 */
import '@tensorflow/tfjs-backend-webgpu';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import { type Deferred, deferredResults } from '../common/deferred';
import { webGpuBackend } from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';

/** Elements from one item, head and position to the next; widths lie together. */
export type HeadStrides = readonly [item: number, head: number, position: number];

/** Items, heads, positions, width. */
export type HeadsShape = readonly [B: number, N: number, P: number, D: number];

const HEADS_TO_FRONT = '0,2,1,3';

const originalTranspose = tf.getKernel('Transpose', 'webgpu');

/** Of [B, N, P, D], or of the same values as [B, P, N, D]. */
function stridesOf([, N, P, D]: HeadsShape, headsBehind: boolean): HeadStrides {
  return headsBehind ? [P * N * D, D, N * D] : [N * P * D, P * D, D];
}

/** The second and third axes of `source` exchanged, not carried out yet. */
class TransposedHeads implements Deferred {
  readonly inputs: readonly tf.TensorInfo[];

  constructor(
    private readonly backend: WebGPUBackend,
    readonly source: tf.TensorInfo,
  ) {
    this.inputs = [source];
  }

  run(output: tf.TensorInfo): void {
    const made = originalTranspose.kernelFunc({
      inputs: { x: this.source },
      backend: this.backend,
      attrs: { perm: [0, 2, 1, 3] },
    }) as tf.TensorInfo;
    // The buffer changes its owner.
    const [from, to] = [this.backend.tensorMap.get(made.dataId), this.backend.tensorMap.get(output.dataId)];
    Object.assign(to, { resource: from.resource, values: from.values });
    Object.assign(from, { resource: undefined, values: undefined });
    this.backend.disposeData(made.dataId);
  }
}

/** Values of [B, N, P, D] that a program has yet to write, in the order that is asked for until then. */
export class DeferredHeads implements Deferred {
  /** @param compute writes the values by these strides */
  constructor(
    readonly shape: HeadsShape,
    readonly inputs: readonly tf.TensorInfo[],
    private readonly compute: (output: tf.TensorInfo, strides: HeadStrides) => void,
    readonly headsBehind = false,
  ) {}

  run(output: tf.TensorInfo): void {
    this.compute(output, stridesOf(this.shape, this.headsBehind));
  }

  /** The same, written as [B, P, N, D]. */
  withHeadsBehind(): DeferredHeads {
    return new DeferredHeads(this.shape, this.inputs, this.compute, true);
  }
}

/** What a program reads for x [B, N, P, D]. */
export interface HeadsOperand {
  readonly data: tf.TensorInfo;
  readonly strides: HeadStrides;
}

/** The source of x, where x is a transposed view that waits (and was not reshaped since), or x itself, computed. */
export function headsOperand(backend: WebGPUBackend, x: tf.TensorInfo): HeadsOperand {
  const shape = x.shape as unknown as HeadsShape;
  const [B, N, P, D] = shape;
  const results = deferredResults(backend);
  const view = results.of(x.dataId);
  if (view instanceof TransposedHeads && view.source.shape.join() === [B, P, N, D].join())
    return { data: view.source, strides: stridesOf(shape, true) };
  results.force(x.dataId);
  return { data: x, strides: stridesOf(shape, false) };
}

/** The transpose as a waiting view or written by the program itself; null for any other transpose. */
function deferTranspose(x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo | null {
  if (perm.join() !== HEADS_TO_FRONT || x.dtype !== 'float32' || elementCount(x.shape) === 0) return null;
  const backend = webGpuBackend();
  if (kernelVariant(backend) === 'composed') return null;
  const [B, L, N, D] = x.shape as [number, number, number, number];
  const results = deferredResults(backend);
  const source = results.of(x.dataId);
  const isHeads = source instanceof DeferredHeads && source.shape.join() === x.shape.join();
  if (isHeads && !source.headsBehind) return results.add([B, N, L, D], source.withHeadsBehind());
  results.force(x.dataId);
  return results.add([B, N, L, D], new TransposedHeads(backend, x));
}

if (originalTranspose) {
  tf.unregisterKernel('Transpose', 'webgpu');
  tf.registerKernel({
    ...originalTranspose,
    kernelFunc: (args) => {
      const { perm } = args.attrs as unknown as { perm: readonly number[] };
      return deferTranspose(args.inputs.x as tf.TensorInfo, perm) ?? originalTranspose.kernelFunc(args);
    },
  });
}
