/** Attention by the studio's own program on WebGPU: one dispatch that waits for the order its result is wanted in. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import { deferredResults } from '../common/deferred';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { type KernelVariant, kernelVariant } from '../common/kernel-variant';
import { DeferredHeads, type HeadStrides, headsOperand } from './attention-heads';
import { AttentionProgram, type AttentionSizes } from './attention-program';

/** Registers for one query and its sums: beyond this tfjs's products are taken. */
const LARGEST_WIDTH = 128;

export interface AttentionOperands {
  readonly q: tf.TensorInfo; // [B, N, L, D]
  readonly k: tf.TensorInfo; // [B, N, S, D]
  readonly v: tf.TensorInfo; // [B, N, S, Dv]
  readonly bias?: tf.TensorInfo | undefined; // four axes, broadcastable to [B, N, L, S]
}

/** An attention as programs read it: its operands through their views. */
export interface OpenedAttention {
  readonly backend: WebGPUBackend;
  readonly variant: KernelVariant;
  readonly sizes: AttentionSizes;
  readonly strides: Readonly<Record<'q' | 'k' | 'v', HeadStrides>>;
  readonly q: tf.TensorInfo;
  readonly k: tf.TensorInfo;
  readonly v: tf.TensorInfo;
  /** The bias, where there is one. */
  readonly bias: readonly tf.TensorInfo[];
}

/** @returns null where the widths or the variant ask for tfjs's products */
export function openAttention({ q, k, v, bias }: AttentionOperands, scale: number): OpenedAttention | null {
  const backend = webGpuBackend();
  const variant = kernelVariant(backend);
  const [batch, heads, queries, width] = q.shape as [number, number, number, number];
  const [keys, valueWidth] = v.shape.slice(2) as [number, number];
  const fits = (size: number): boolean => size % 4 === 0 && size <= LARGEST_WIDTH;
  const isEmpty = batch * heads * queries * keys * width * valueWidth === 0;
  if (variant === 'composed' || !fits(width) || !fits(valueWidth) || isEmpty) return null;
  const [from, key, value] = [headsOperand(backend, q), headsOperand(backend, k), headsOperand(backend, v)];
  if (bias) deferredResults(backend).force(bias.dataId);
  const biasStrides = bias ? broadcastStrides(bias.shape) : null;
  return {
    backend,
    variant,
    sizes: { batch, heads, queries, keys, width, valueWidth, scale, biasStrides },
    strides: { q: from.strides, k: key.strides, v: value.strides },
    q: from.data,
    k: key.data,
    v: value.data,
    bias: bias ? [bias] : [],
  };
}

function broadcastStrides(shape: readonly number[]): [number, number, number, number] {
  return shape.map((size, axis) => (size === 1 ? 0 : elementCount(shape.slice(axis + 1)))) as [
    number,
    number,
    number,
    number,
  ];
}

/** softmax(scale q k^T + bias) v, waiting; null where the widths or the variant ask for tfjs's products. */
export function deferAttention(operands: AttentionOperands, scale: number): tf.TensorInfo | null {
  const opened = openAttention(operands, scale);
  if (!opened) return null;
  const { backend, variant, sizes, strides, q, k, v, bias } = opened;
  const { batch, heads, queries, valueWidth } = sizes;
  const shape = [batch, heads, queries, valueWidth] as const;
  const inputs = [q, k, v, ...bias];
  const deferred = new DeferredHeads(shape, inputs, (output, out) => {
    const program = new AttentionProgram(variant, sizes, { ...strides, out });
    runProgram(backend, program, inputs, output.shape, output);
  });
  return deferredResults(backend).add(shape, deferred);
}
