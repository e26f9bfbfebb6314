/**
 * How attention is cut into blocks: on wasm head by head, because XNNPACK multiplies one pair of matrices only (a
 * batched product is a naive loop there, 20 times slower); on WebGPU all heads in one dispatch. Queries are cut further where
 * the scores would be too large.
 */
import * as tf from '@tensorflow/tfjs-core';
import { onWasm } from '../common/mat-mul';

/**
 * The scores of a block stay within the storage binding that every WebGPU adapter grants. On wasm it is a head's
 * worth that counts; 4 MiB keep scores in the cache between product, softmax and product.
 */
const MAX_SCORES_BYTES = { webgpu: 32 * 2 ** 20, wasm: 4 * 2 ** 20 };

/** Ranges of one block, [begin, end), in the axes [B, N, L] of the queries. */
export interface AttentionBlock {
  readonly begin: readonly [number, number, number];
  readonly size: readonly [number, number, number];
}

/**
 * @param queryShape [B, N, L, D]
 * @param S positions of the keys
 * @param maxScoresBytes of one block; for tests
 */
export function attentionBlocks(
  [B, N, L]: readonly number[],
  S: number,
  maxScoresBytes = onWasm() ? MAX_SCORES_BYTES.wasm : MAX_SCORES_BYTES.webgpu,
): readonly AttentionBlock[] {
  const [batches, heads] = onWasm() ? [1, 1] : [B!, N!];
  const rows = Math.min(L!, Math.max(1, Math.floor(maxScoresBytes / (4 * batches * heads * Math.max(1, S)))));
  const blocks: AttentionBlock[] = [];
  for (let b = 0; b < B!; b += batches) {
    for (let n = 0; n < N!; n += heads) {
      for (let l = 0; l < L!; l += rows) {
        blocks.push({ begin: [b, n, l], size: [batches, heads, Math.min(rows, L! - l)] });
      }
    }
  }
  return blocks;
}

/**
 * A block's part of a tensor [B, N, L, X], [B, N, S, X] or one that broadcasts to the scores: axes of size 1 stay
 * whole, and so does the third axis unless it goes over the queries.
 */
export function blockOf(x: tf.Tensor, { begin, size }: AttentionBlock, third: 'queries' | 'keys'): tf.Tensor {
  const shape = x.shape as [number, number, number, number];
  const whole = (axis: number): boolean => shape[axis] === 1 || (axis === 2 && third === 'keys');
  const from = [0, 1, 2].map((axis) => (whole(axis) ? 0 : begin[axis]!));
  const count = [0, 1, 2].map((axis) => (whole(axis) ? shape[axis]! : size[axis]!));
  const covers = count.every((n, axis) => n === shape[axis]);
  return covers ? x : tf.slice(x, [...from, 0], [...count, shape[3]]);
}

/**
 * Results of the blocks, [b, n, l, X] each, side by side along the queries: [B, N, L, X]. Blocks follow each other in
 * the order of the axes, so joining them along the third one and naming the axes anew is all.
 *
 * @param queryShape [B, N, L, D]
 */
export function joinBlocks(
  blocks: readonly AttentionBlock[],
  queryShape: readonly number[],
  compute: (block: AttentionBlock) => tf.Tensor,
): tf.Tensor {
  const parts = blocks.map((block) => tf.tidy(() => compute(block)));
  return concatAsHeads(parts, queryShape);
}

/**
 * Results of the blocks, [b, n, S, X] each, summed over the blocks of a head: [B, N, S, X].
 *
 * @param keyShape [B, N, S, D]
 */
export function sumBlocks(
  blocks: readonly AttentionBlock[],
  keyShape: readonly number[],
  compute: (block: AttentionBlock) => tf.Tensor,
): tf.Tensor {
  const sums = new Map<string, tf.Tensor>();
  for (const block of blocks) {
    const key = `${block.begin[0]}, ${block.begin[1]}`;
    const sum = sums.get(key);
    sums.set(
      key,
      tf.tidy(() => (sum ? tf.add(sum, compute(block)) : compute(block))),
    );
    sum?.dispose();
  }
  return concatAsHeads([...sums.values()], keyShape);
}

function concatAsHeads(parts: readonly tf.Tensor[], [B, N, L]: readonly number[]): tf.Tensor {
  const joined = parts.length === 1 ? parts[0]! : tf.concat([...parts], 2);
  return tf.reshape(joined, [B!, N!, L!, joined.shape.at(-1)!]);
}
