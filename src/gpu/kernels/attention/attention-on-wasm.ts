import type * as tf from '@tensorflow/tfjs-core';
import { float, SCRATCH_BYTES, type WasmKernels } from '../../wasm-kernels/wasm-kernels';

/** Queries in a unit of work, and keys whose scores are there at a time, as in the kernel. */
const UNIT_QUERIES = 48;
const CHUNK_KEYS = 192;
/** Queries side by side in the kernels. */
const LANES = 8;
/** Bytes of a value of each of them. */
const LINE_BYTES = 4 * LANES;

/**
 * Attention of all heads by the studio's own kernel (wasm-kernels/assembly/attention.ts): scores of 48 queries and 192 keys at
 * a time, in the cache.
 *
 * @param q [B, N, L, D]
 * @param k [B, N, S, D]
 * @param v [B, N, S, Dv]
 * @param bias four axes, broadcastable to [B, N, L, S]
 * @returns null where there are no keys, or heads are so wide that 48 queries do not fit into the scratch
 */
export function attentionOnWasm(
  kernels: WasmKernels,
  q: tf.TensorInfo,
  k: tf.TensorInfo,
  v: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  scale: number,
): tf.TensorInfo | null {
  const [B, N, L, D] = q.shape as [number, number, number, number];
  const S = k.shape[2]!;
  const valueDepth = v.shape[3]!;
  const scratchBytes = (UNIT_QUERIES / LANES) * LINE_BYTES * (D + valueDepth + 2 + CHUNK_KEYS);
  if (S === 0 || scratchBytes > SCRATCH_BYTES) return null;
  const y = kernels.output([B, N, L, valueDepth]);
  kernels.run('attention', B * N * Math.ceil(L / UNIT_QUERIES), [
    ...[q, k, v, y, bias].map((tensor) => kernels.address(tensor)),
    ...[N, L, S, D, valueDepth],
    ...(bias ? stridesOf(bias.shape) : [0, 0, 0, 0]),
    float(scale),
  ]);
  return y;
}

/** Memory of the kernel's tile, before the rest. */
const TILE_BYTES = 192;
const TILE_ROWS = 6;
const TILE_COLUMNS = 8;
/** Queries that the gradient takes at a time, where their scores fit. */
const BLOCK_QUERIES = 96;

const roundUp = (count: number, step: number): number => step * Math.ceil(count / step);

/**
 * The gradients of queries, keys and values, all in one call: a head is a unit of work.
 *
 * @param dy [B, N, L, Dv]
 * @returns of the shapes of q, k and v; null where there are no keys, or the scores of eight queries and their gradients do not
 *   fit into the scratch
 */
export function attentionGradientOnWasm(
  kernels: WasmKernels,
  dy: tf.TensorInfo,
  {
    q,
    k,
    v,
    bias,
  }: { readonly [Name in 'q' | 'k' | 'v']: tf.TensorInfo } & { readonly bias: tf.TensorInfo | undefined },
  scale: number,
): { readonly [Name in 'q' | 'k' | 'v']: tf.TensorInfo } | null {
  const [B, N, L, D] = q.shape as [number, number, number, number];
  const S = k.shape[2]!;
  const valueDepth = v.shape[3]!;
  const rows = roundUp(D, TILE_COLUMNS) + roundUp(valueDepth, TILE_COLUMNS);
  const lines = 2 * D + valueDepth + rows + 2 + 2 * roundUp(S, TILE_ROWS);
  const fitting = Math.floor((SCRATCH_BYTES - TILE_BYTES) / (LINE_BYTES * lines));
  const block = LANES * Math.min(fitting, BLOCK_QUERIES / LANES);
  if (S === 0 || block === 0) return null;
  const [dq, dk, dv] = [q, k, v].map(({ shape }) => kernels.output(shape)) as [
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo,
  ];
  kernels.run('attentionGradient', B * N, [
    ...[q, k, v, dy, dq, dk, dv, bias].map((tensor) => kernels.address(tensor)),
    ...[N, L, S, D, valueDepth],
    ...(bias ? stridesOf(bias.shape) : [0, 0, 0, 0]),
    float(scale),
    block,
  ]);
  return { q: dq, k: dk, v: dv };
}

/** Bytes from one index to the next, 0 along axes of size 1. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((size, axis) => (size === 1 ? 0 : 4 * shape.slice(axis + 1).reduce((a, b) => a * b, 1)));
}
