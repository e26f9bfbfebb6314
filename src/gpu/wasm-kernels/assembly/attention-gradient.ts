import { softmaxRow } from './attention';
import { multiplyAdd, splat, sumOf } from './math';
import { accumulate, accumulateOuter, fillTile, multiply, storeRow, TILE_COLUMNS, TILE_ROWS } from './product';

/**
 * The gradients of `attention` by its queries, keys and values. For a block of queries at a time the probabilities P are
 * computed again and, beside them, the gradient of the scores, dS = scale P (dy v^T - sum(P dy v^T)), both in `scratch` and
 * so in the cache; then dq = dS k, dk += dS^T q and dv += P^T dy.
 *
 * args: q [B, N, L, D], packed keys, k, packed values (as the keys), dy [B, N, L, Dv], dq, dk, dv, bias (0: none), N, L, S,
 * D, Dv (multiples of eight), the bias' strides (bytes) of B, N, L and S, scale, queries of a block (a multiple of six).
 * Units: heads.
 */
export function attentionGradient(args: usize, unit: i32, scratch: usize): void {
  const heads = load<i32>(args, 36);
  const queries = load<i32>(args, 40);
  const keys = load<i32>(args, 44);
  const depth = load<i32>(args, 48);
  const valueDepth = load<i32>(args, 52);
  const blockQueries = load<i32>(args, 76);
  const head = <usize>unit;
  const panels = (keys + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const rowBytes = (<usize>panels) * 32; // of a row of scores
  const step = (<usize>depth) << 2;
  const valueStep = (<usize>valueDepth) << 2;
  const q = load<usize>(args, 0) + head * (<usize>queries) * step;
  const packedKeys = load<usize>(args, 4) + head * (<usize>depth) * rowBytes;
  const k = load<usize>(args, 8) + head * (<usize>keys) * step;
  const packedValues = load<usize>(args, 12) + head * (<usize>valueDepth) * rowBytes;
  const dy = load<usize>(args, 16) + head * (<usize>queries) * valueStep;
  const dq = load<usize>(args, 20) + head * (<usize>queries) * step;
  const dk = load<usize>(args, 24) + head * (<usize>keys) * step;
  const dv = load<usize>(args, 28) + head * (<usize>keys) * valueStep;
  let bias = load<usize>(args, 32);
  if (bias) {
    bias += (<usize>(unit / heads)) * load<usize>(args, 56) + (<usize>(unit % heads)) * load<usize>(args, 60);
  }
  const tile = scratch;
  const probabilities = scratch + 512;
  const slopes = probabilities + (<usize>blockQueries) * rowBytes;
  memory.fill(dk, 0, (<usize>keys) * step);
  memory.fill(dv, 0, (<usize>keys) * valueStep);
  for (let begin = 0; begin < queries; begin += blockQueries) {
    const end = min(queries, begin + blockQueries);
    for (let row = begin; row < end; row += TILE_ROWS) {
      const offset = (<usize>(row - begin)) * rowBytes;
      const p = probabilities + offset;
      const ds = slopes + offset;
      const last = end - 1;
      rowsByPanels(q, row, last, step, depth, packedKeys, panels, p, rowBytes);
      rowsByPanels(dy, row, last, valueStep, valueDepth, packedValues, panels, ds, rowBytes);
      for (let i = 0; i < TILE_ROWS; i += 1) {
        const line = bias ? bias + (<usize>min(row + i, last)) * load<usize>(args, 64) : 0;
        const at = (<usize>i) * rowBytes;
        softmaxRow(p + at, keys, splat(load<f32>(args, 72)), line, load<usize>(args, 68), tile);
        scoresGradient(p + at, ds + at, keys, load<f32>(tile), load<f32>(args, 72));
      }
      for (let column = 0; column < depth; column += TILE_COLUMNS) {
        fillTile(tile, 0, TILE_COLUMNS);
        accumulate(
          tile, ds, ds + rowBytes, ds + 2 * rowBytes, ds + 3 * rowBytes, ds + 4 * rowBytes, ds + 5 * rowBytes,
          keys, k + ((<usize>column) << 2), step,
        );
        for (let i = 0; i < TILE_ROWS && row + i < end; i += 1) {
          storeRow(tile, i, TILE_COLUMNS, dq + (<usize>(row + i)) * step + ((<usize>column) << 2));
        }
      }
    }
    const count = end - begin;
    addTransposed(tile, slopes, rowBytes, keys, q + (<usize>begin) * step, depth, count, dk);
    addTransposed(tile, probabilities, rowBytes, keys, dy + (<usize>begin) * valueStep, valueDepth, count, dv);
  }
}

/** The products of six rows with all panels, [6, panels * 8]. Beyond `last` that row is taken again. */
function rowsByPanels(
  rows: usize, first: i32, last: i32, step: usize, depth: i32, packed: usize, panels: i32,
  out: usize, outBytes: usize,
): void {
  const r0 = rows + (<usize>first) * step;
  const rest = <usize>min(TILE_ROWS - 1, last - first);
  for (let panel = 0; panel < panels; panel += 1) {
    multiply(
      out + (<usize>panel) * 32, outBytes, r0, r0 + min(rest, 1) * step, r0 + min(rest, 2) * step,
      r0 + min(rest, 3) * step, r0 + min(rest, 4) * step, r0 + min(rest, 5) * step,
      depth, packed + (<usize>(panel * depth)) * 32,
    );
  }
}

/** Divides a row of powers by their sum, and makes the gradient of the scores of dP in its place. */
function scoresGradient(p: usize, ds: usize, keys: i32, inverseSum: f32, scale: f32): void {
  const bytes = (<usize>((keys + 3) & ~3)) << 2;
  const inverse = splat(inverseSum);
  let sum = splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const probability = f32x4.mul(v128.load(p + i), inverse);
    v128.store(p + i, probability);
    sum = multiplyAdd(probability, v128.load(ds + i), sum);
  }
  const along = splat(sumOf(sum));
  const factor = splat(scale);
  for (let i: usize = 0; i < bytes; i += 16) {
    const apart = f32x4.sub(v128.load(ds + i), along);
    v128.store(ds + i, f32x4.mul(f32x4.mul(v128.load(p + i), apart), factor));
  }
}

/** Adds the product of `scores` [count, keys], transposed, with `rows` [count, depth] to `sums` [keys, depth]. */
function addTransposed(
  tile: usize, scores: usize, scoreBytes: usize, keys: i32, rows: usize, depth: i32, count: i32, sums: usize,
): void {
  const step = (<usize>depth) << 2;
  for (let key = 0; key < keys; key += TILE_ROWS) {
    const rest = <usize>min(TILE_ROWS - 1, keys - 1 - key);
    for (let column = 0; column < depth; column += TILE_COLUMNS) {
      const at = sums + (<usize>key) * step + ((<usize>column) << 2);
      for (let i: usize = 0; i < 6; i += 1) {
        const from = at + min(rest, i) * step;
        v128.store(tile + i * 32, v128.load(from, 0), 0);
        v128.store(tile + i * 32, v128.load(from, 16), 16);
      }
      accumulateOuter(
        tile, scores + ((<usize>key) << 2),
        min(rest, 1) << 2, min(rest, 2) << 2, min(rest, 3) << 2, min(rest, 4) << 2, min(rest, 5) << 2,
        scoreBytes, 0, rows + ((<usize>column) << 2), step, 0, count, 1,
      );
      for (let i = 0; i <= <i32>rest; i += 1) storeRow(tile, i, TILE_COLUMNS, at + (<usize>i) * step);
    }
  }
}
