/**
 * Attention on WebGPU, and the transposes around it that are never carried out: [B, L, N, D] seen as [B, N, L, D]
 * waits as a view, attention reads through it, and writes its result in the order that the transpose behind it asks
 * for. Importing this file puts it before tfjs's own transpose, which does every other one.
 */
import '@tensorflow/tfjs-backend-webgpu';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import { type Deferred, deferredResults } from '../common/deferred';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { type KernelVariant, kernelVariant } from '../common/kernel-variant';
import { AttentionProgram, type AttentionSizes, type HeadStrides } from './attention-program';

/** Registers for one query and its sums: beyond this tfjs's products are taken. */
const LARGEST_WIDTH = 128;
const HEADS_TO_FRONT = '0,2,1,3';

const originalTranspose = tf.getKernel('Transpose', 'webgpu');

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

class DeferredAttention implements Deferred {
  readonly inputs: readonly tf.TensorInfo[];

  constructor(
    private readonly backend: WebGPUBackend,
    private readonly variant: KernelVariant,
    readonly sizes: AttentionSizes,
    operands: readonly (tf.TensorInfo | undefined)[],
  ) {
    this.inputs = operands.filter((operand) => operand !== undefined);
  }

  run(output: tf.TensorInfo): void {
    runProgram(
      this.backend,
      new AttentionProgram(this.variant, this.sizes),
      this.inputs,
      output.shape,
      output,
    );
  }

  /** The same, written as [B, L, N, D]. */
  withHeadsBehind(): DeferredAttention {
    const { heads, queries, valueWidth } = this.sizes;
    const out: HeadStrides = [queries * heads * valueWidth, valueWidth, heads * valueWidth];
    const sizes = { ...this.sizes, strides: { ...this.sizes.strides, out } };
    return new DeferredAttention(this.backend, this.variant, sizes, this.inputs);
  }
}

interface Operand {
  readonly data: tf.TensorInfo;
  readonly strides: HeadStrides;
}

/** What to read for x [B, N, P, D]: its source, where x is a transposed view that waits (and was not reshaped since). */
function operand(backend: WebGPUBackend, x: tf.TensorInfo): Operand {
  const [B, N, P, D] = x.shape as [number, number, number, number];
  const results = deferredResults(backend);
  const view = results.of(x.dataId);
  if (view instanceof TransposedHeads && view.source.shape.join() === [B, P, N, D].join())
    return { data: view.source, strides: [P * N * D, D, N * D] };
  results.force(x.dataId);
  return { data: x, strides: [N * P * D, P * D, D] };
}

/** softmax(scale q k^T + bias) v, waiting; null where the widths or the variant ask for tfjs's products. */
export function deferAttention(
  q: tf.TensorInfo,
  k: tf.TensorInfo,
  v: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  scale: number,
): tf.TensorInfo | null {
  const backend = webGpuBackend();
  const variant = kernelVariant(backend);
  const [batch, heads, queries, width] = q.shape as [number, number, number, number];
  const [keys, valueWidth] = v.shape.slice(2) as [number, number];
  const shape = [batch, heads, queries, valueWidth];
  const fits = (size: number): boolean => size % 4 === 0 && size <= LARGEST_WIDTH;
  if (variant === 'composed' || !fits(width) || !fits(valueWidth) || elementCount(shape) * keys === 0)
    return null;
  const [from, key, value] = [q, k, v].map((x) => operand(backend, x)) as [Operand, Operand, Operand];
  const results = deferredResults(backend);
  if (bias) results.force(bias.dataId);
  const sizes: AttentionSizes = {
    batch,
    heads,
    queries,
    keys,
    width,
    valueWidth,
    scale,
    strides: {
      q: from.strides,
      k: key.strides,
      v: value.strides,
      out: [heads * queries * valueWidth, queries * valueWidth, valueWidth],
    },
    biasStrides: bias ? broadcastStrides(bias.shape) : null,
  };
  const operands = [from.data, key.data, value.data, bias];
  return results.add(shape, new DeferredAttention(backend, variant, sizes, operands));
}

function broadcastStrides(shape: readonly number[]): [number, number, number, number] {
  return shape.map((size, axis) => (size === 1 ? 0 : elementCount(shape.slice(axis + 1)))) as [
    number,
    number,
    number,
    number,
  ];
}

/** The transpose as a waiting view or written by attention itself; null for any other transpose. */
function deferTranspose(x: tf.TensorInfo, perm: readonly number[]): tf.TensorInfo | null {
  if (perm.join() !== HEADS_TO_FRONT || x.dtype !== 'float32' || elementCount(x.shape) === 0) return null;
  const backend = webGpuBackend();
  if (kernelVariant(backend) === 'composed') return null;
  const [B, L, N, D] = x.shape as [number, number, number, number];
  const results = deferredResults(backend);
  const source = results.of(x.dataId);
  if (source instanceof DeferredAttention) {
    const { batch, heads, queries } = source.sizes;
    const isHeads = B === batch && L === heads && N === queries;
    if (isHeads && source.sizes.strides.out[2] === D)
      return results.add([B, N, L, D], source.withHeadsBehind());
  }
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
