import { exp, maxOf, multiplyAdd, splat, sumOf } from './math';
import { accumulate, fillTile, multiply, TILE_COLUMNS, TILE_ROWS } from './product';

/** Queries in one unit: a multiple of the tile's rows. */
const UNIT_QUERIES: i32 = 48;

/**
 * Keys [S, D] of each head as panels of eight keys, each [D, 8]: a product of queries with them reads rows. Keys
 * beyond the last are zero. args: k, panels, heads (B * N), S, D. Units: heads.
 */
export function packKeys(args: usize, unit: i32): void {
  const keys = load<i32>(args, 12);
  const depth = load<i32>(args, 16);
  const blocks = (keys + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const from = load<usize>(args, 0) + (<usize>unit) * (<usize>(keys * depth)) * 4;
  let to = load<usize>(args, 4) + (<usize>unit) * (<usize>(blocks * depth)) * 32;
  for (let block = 0; block < blocks; block += 1) {
    for (let d = 0; d < depth; d += 1) {
      for (let i = 0; i < TILE_COLUMNS; i += 1) {
        const key = block * TILE_COLUMNS + i;
        const value: f32 = key < keys ? load<f32>(from + (<usize>(key * depth + d)) * 4) : 0;
        store<f32>(to + ((<usize>i) << 2), value);
      }
      to += 32;
    }
  }
}

/**
 * softmax(scale q k^T + bias) v: for six queries at a time the scores of all keys, in `scratch` and so in the cache, then their
 * softmax, then the product with v, divided by the softmax's sum at the end.
 *
 * args: q [B, N, L, D], packed keys, v [B, N, S, Dv] (Dv a multiple of eight), y, bias (0: none), N, L, S, D, Dv, the
 * bias' strides (bytes) of B, N, L and S, scale. Units: heads * blocks of 48 queries.
 */
export function attention(args: usize, unit: i32, scratch: usize): void {
  const heads = load<i32>(args, 20);
  const queries = load<i32>(args, 24);
  const keys = load<i32>(args, 28);
  const depth = load<i32>(args, 32);
  const valueDepth = load<i32>(args, 36);
  const blocks = (queries + UNIT_QUERIES - 1) / UNIT_QUERIES;
  const head = unit / blocks;
  const begin = (unit % blocks) * UNIT_QUERIES;
  const end = min(queries, begin + UNIT_QUERIES);
  const panels = (keys + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const rowBytes = (<usize>panels) * 32; // of a row of scores
  const q = load<usize>(args, 0) + (<usize>head) * (<usize>(queries * depth)) * 4;
  const k = load<usize>(args, 4) + (<usize>head) * (<usize>(panels * depth)) * 32;
  const v = load<usize>(args, 8) + (<usize>head) * (<usize>(keys * valueDepth)) * 4;
  const y = load<usize>(args, 12) + (<usize>head) * (<usize>(queries * valueDepth)) * 4;
  let bias = load<usize>(args, 16);
  if (bias) {
    bias += (<usize>(head / heads)) * load<usize>(args, 40) + (<usize>(head % heads)) * load<usize>(args, 44);
  }
  const scale = splat(load<f32>(args, 56));
  const tile = scratch;
  const scores = scratch + 512;
  const step = (<usize>depth) << 2;
  for (let row = begin; row < end; row += TILE_ROWS) {
    const q0 = q + (<usize>row) * step;
    const rest = <usize>min(TILE_ROWS - 1, end - 1 - row);
    for (let panel = 0; panel < panels; panel += 1) {
      multiply(
        scores + (<usize>panel) * 32, rowBytes, q0, q0 + min(rest, 1) * step, q0 + min(rest, 2) * step,
        q0 + min(rest, 3) * step, q0 + min(rest, 4) * step, q0 + min(rest, 5) * step,
        depth, k + (<usize>(panel * depth)) * 32,
      );
    }
    for (let i = 0; i < TILE_ROWS; i += 1) {
      const line = bias ? bias + (<usize>min(row + i, end - 1)) * load<usize>(args, 48) : 0;
      softmaxRow(scores + (<usize>i) * rowBytes, keys, scale, line, load<usize>(args, 52), tile + 192 + (<usize>i) * 4);
    }
    for (let column = 0; column < valueDepth; column += TILE_COLUMNS) {
      fillTile(tile, 0, TILE_COLUMNS);
      accumulate(
        tile, scores, scores + rowBytes, scores + 2 * rowBytes, scores + 3 * rowBytes, scores + 4 * rowBytes,
        scores + 5 * rowBytes, keys, v + ((<usize>column) << 2), (<usize>valueDepth) << 2,
      );
      for (let i = 0; i < TILE_ROWS && row + i < end; i += 1) {
        const inverse = splat(load<f32>(tile + 192 + (<usize>i) * 4));
        const from = tile + (<usize>i) * 32;
        const out = y + ((<usize>((row + i) * valueDepth + column)) << 2);
        v128.store(out, f32x4.mul(v128.load(from, 0), inverse), 0);
        v128.store(out, f32x4.mul(v128.load(from, 16), inverse), 16);
      }
    }
  }
}

/** e^(scale * score + bias - largest) in place of the scores, and 1 / their sum. Beyond `keys` the row is not read again. */
export function softmaxRow(row: usize, keys: i32, scale: v128, bias: usize, biasStep: usize, inverseSum: usize): void {
  const whole = (<usize>(keys & ~3)) << 2;
  const bytes = (<usize>keys) << 2;
  const factor = f32x4.extract_lane(scale, 0);
  // A score that is NaN is left out here, and makes its power and so the sum NaN.
  let largest = splat(-Infinity);
  if (bias && biasStep) {
    for (let i: usize = 0; i < whole; i += 16) {
      const score = multiplyAdd(v128.load(row + i), scale, v128.load(bias + i));
      v128.store(row + i, score);
      largest = f32x4.pmax(largest, score);
    }
  } else {
    const shift = bias ? splat(load<f32>(bias)) : splat(0);
    for (let i: usize = 0; i < whole; i += 16) {
      const score = multiplyAdd(v128.load(row + i), scale, shift);
      v128.store(row + i, score);
      largest = f32x4.pmax(largest, score);
    }
  }
  let most = maxOf(largest);
  for (let i = whole; i < bytes; i += 4) {
    const shift: f32 = bias ? load<f32>(bias + (biasStep ? i : 0)) : 0;
    const score: f32 = load<f32>(row + i) * factor + shift;
    store<f32>(row + i, score);
    most = max(most, score);
  }
  // What lies beyond the last key in its vector must not count.
  for (let i = bytes; i < ((bytes + 15) & ~15); i += 4) store<f32>(row + i, -Infinity);
  const shift = splat(most);
  let sum = splat(0);
  for (let i: usize = 0; i < bytes; i += 16) {
    const power = exp(f32x4.sub(v128.load(row + i), shift));
    v128.store(row + i, power);
    sum = f32x4.add(sum, power);
  }
  store<f32>(inverseSum, <f32>1 / sumOf(sum));
}
