import type * as tf from '@tensorflow/tfjs-core';
import { float, MAX_KEYS, type WasmKernels } from '../../wasm-kernels/wasm-kernels';

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

/** Bytes from one index to the next, 0 along axes of size 1. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((size, axis) => (size === 1 ? 0 : 4 * shape.slice(axis + 1).reduce((a, b) => a * b, 1)));
}
