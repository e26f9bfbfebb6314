import type * as tf from '@tensorflow/tfjs-core';
import { float, MAX_KEYS, SCRATCH_BYTES, type WasmKernels } from '../../wasm-kernels/wasm-kernels';

/** Queries in a unit of work, as in the kernel. */
const UNIT_QUERIES = 48;

/**
 * Attention of all heads by the studio's own kernel (wasm-kernels/assembly/attention.ts): scores of six queries at a time,
 * in the cache.
 *
 * @param q [B, N, L, D]
 * @param k [B, N, S, D]
 * @param v [B, N, S, Dv]
 * @param bias four axes, broadcastable to [B, N, L, S]
 * @returns null where values are no multiples of eight wide, or there are more keys than the scratch holds
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
  if (valueDepth % 8 !== 0 || S === 0 || S > MAX_KEYS) return null;
  const heads = B * N;
  const y = kernels.output([B, N, L, valueDepth]);
  kernels.withScratch(heads * Math.ceil(S / 8) * 8 * D, (packed) => {
    kernels.run('packKeys', heads, [kernels.address(k), packed, heads, S, D]);
    kernels.run('attention', heads * Math.ceil(L / UNIT_QUERIES), [
      ...[kernels.address(q), packed, kernels.address(v), kernels.address(y), kernels.address(bias)],
      ...[N, L, S, D, valueDepth],
      ...(bias ? stridesOf(bias.shape) : [0, 0, 0, 0]),
      float(scale),
    ]);
  });
  return y;
}

/** Memory of the kernel's tile, before the rows of scores. */
const TILE_BYTES = 512;
const TILE_ROWS = 6;
/** Queries that the gradient takes at a time, where their scores fit. */
const BLOCK_QUERIES = 96;

/**
 * The gradients of queries, keys and values, all in one call: a head is a unit of work.
 *
 * @param dy [B, N, L, Dv]
 * @returns of the shapes of q, k and v; null where heads are no multiples of eight wide, or the scores of six queries and
 *   their gradients do not fit into the scratch
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
  const panels = Math.ceil(S / 8);
  const fitting = Math.floor((SCRATCH_BYTES - TILE_BYTES) / (2 * 32 * panels));
  const block = TILE_ROWS * Math.floor(Math.min(fitting, BLOCK_QUERIES) / TILE_ROWS);
  if (D % 8 !== 0 || valueDepth % 8 !== 0 || S === 0 || block === 0) return null;
  const heads = B * N;
  const [dq, dk, dv] = [q, k, v].map(({ shape }) => kernels.output(shape)) as [
    tf.TensorInfo,
    tf.TensorInfo,
    tf.TensorInfo,
  ];
  const keyValues = heads * panels * 8 * D;
  kernels.withScratch(keyValues + heads * panels * 8 * valueDepth, (packedKeys) => {
    const packedValues = packedKeys + 4 * keyValues;
    kernels.run('packKeys', heads, [kernels.address(k), packedKeys, heads, S, D]);
    kernels.run('packKeys', heads, [kernels.address(v), packedValues, heads, S, valueDepth]);
    kernels.run('attentionGradient', heads, [
      ...[kernels.address(q), packedKeys, kernels.address(k), packedValues, kernels.address(dy)],
      ...[dq, dk, dv, bias].map((tensor) => kernels.address(tensor)),
      ...[N, L, S, D, valueDepth],
      ...(bias ? stridesOf(bias.shape) : [0, 0, 0, 0]),
      float(scale),
      block,
    ]);
  });
  return { q: dq, k: dk, v: dv };
}

/** Bytes from one index to the next, 0 along axes of size 1. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((size, axis) => (size === 1 ? 0 : 4 * shape.slice(axis + 1).reduce((a, b) => a * b, 1)));
}
