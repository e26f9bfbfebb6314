import { multiplyAdd, silu, splat, sumOf } from './math';

/**
 * Group norm of x [B, P, C], with or without SiLU behind it: three passes over a span of channels of one item, the
 * mean, the squares around it (E[x^2] - E[x]^2 would cancel), the result. Sums are taken channel by channel, four side by
 * side, and then joined to groups of any width.
 *
 * args: x, weight, bias, y, P, C, group width, span (channels: whole groups, and a multiple of four), silu (0 or 1), eps.
 * Units: B * C / span.
 */
export function groupNorm(args: usize, unit: i32, scratch: usize): void {
  const positions = load<i32>(args, 16);
  const span = load<i32>(args, 28);
  const rowBytes = (<usize>load<i32>(args, 20)) << 2;
  const begin = ((<usize>(unit * span)) << 2) % rowBytes;
  const offset = (<usize>(unit / (load<i32>(args, 20) / span))) * (<usize>positions) * rowBytes + begin;
  const x = load<usize>(args, 0) + offset;
  const y = load<usize>(args, 12) + offset;
  const weight = load<usize>(args, 4) + begin;
  const bias = load<usize>(args, 8) + begin;
  const withSilu = load<i32>(args, 32) != 0;
  const bytes = (<usize>span) << 2;
  const means = scratch;
  const scales = scratch + bytes;
  const rests = scratch + 2 * bytes;
  const eps = <f64>load<f32>(args, 36);
  groupStatistics(x, positions, rowBytes, load<i32>(args, 24), span, means, scales);
  for (let at: usize = 0; at < bytes; at += 4) {
    // What rounding would take off the factor it would take off the whole channel: it is added apart.
    const factor = <f64>load<f32>(weight + at) / sqrt<f64>(<f64>load<f32>(scales + at) + eps);
    store<f32>(scales + at, <f32>factor);
    store<f32>(rests + at, <f32>(factor - <f64>(<f32>factor)));
  }
  for (let at: usize = 0; at < bytes; at += 16) {
    const mean = v128.load(means + at);
    const scale = v128.load(scales + at);
    const rest = v128.load(rests + at);
    const shift = v128.load(bias + at);
    let from = x + at;
    let to = y + at;
    for (let p = 0; p < positions; p += 1) {
      const d = f32x4.sub(v128.load(from), mean);
      const value = multiplyAdd(d, scale, multiplyAdd(d, rest, shift));
      v128.store(to, withSilu ? silu(value) : value);
      from += rowBytes;
      to += rowBytes;
    }
  }
}

/** Writes, for each of `span` channels, the mean and the variance of its group. */
export function groupStatistics(
  x: usize, positions: i32, rowBytes: usize, width: i32, span: i32, means: usize, variances: usize,
): void {
  const bytes = (<usize>span) << 2;
  for (let at: usize = 0; at < bytes; at += 16) v128.store(means + at, columnSum(x + at, positions, rowBytes));
  joinGroups(means, width, span, positions);
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(variances + at, columnSquares(x + at, positions, rowBytes, v128.load(means + at)));
  }
  joinGroups(variances, width, span, positions);
}

/** Puts the mean of each group's values in place of each of its channels' sums over positions. */
export function joinGroups(sums: usize, width: i32, span: i32, positions: i32): void {
  const count = <f32>(positions * width);
  const bytes = (<usize>width) << 2;
  for (let at = sums; at < sums + ((<usize>span) << 2); at += bytes) {
    let sum: f64 = 0;
    for (let c: usize = 0; c < bytes; c += 4) sum += <f64>load<f32>(at + c);
    const mean = <f32>(sum / <f64>count);
    for (let c: usize = 0; c < bytes; c += 4) store<f32>(at + c, mean);
  }
}

/**
 * Positions that are added up in float32. A group of a long clip has thousands of values; one float32 sum of them all is
 * off by 1e-6, alike for the whole group, and a loss of DPO is a thousand times such a thing.
 */
const RUN: i32 = 32;

/** Four channels summed over positions: runs in float32, runs of runs in float64. */
function columnSum(from: usize, positions: i32, rowBytes: usize): v128 {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (let p = 0; p < positions; p += RUN) {
    const count = min(RUN, positions - p);
    let s0 = splat(0), s1 = splat(0);
    let i = 0;
    for (; i + 2 <= count; i += 2) {
      s0 = f32x4.add(s0, v128.load(from));
      s1 = f32x4.add(s1, v128.load(from + rowBytes));
      from += 2 * rowBytes;
    }
    if (i < count) {
      s0 = f32x4.add(s0, v128.load(from));
      from += rowBytes;
    }
    const run = f32x4.add(s0, s1);
    low = f64x2.add(low, lowHalf(run));
    high = f64x2.add(high, highHalf(run));
  }
  return joined(low, high);
}

function columnSquares(from: usize, positions: i32, rowBytes: usize, mean: v128): v128 {
  let low = f64x2.splat(0), high = f64x2.splat(0);
  for (let p = 0; p < positions; p += RUN) {
    const count = min(RUN, positions - p);
    let s0 = splat(0), s1 = splat(0);
    let i = 0;
    for (; i + 2 <= count; i += 2) {
      const d0 = f32x4.sub(v128.load(from), mean);
      const d1 = f32x4.sub(v128.load(from + rowBytes), mean);
      s0 = multiplyAdd(d0, d0, s0);
      s1 = multiplyAdd(d1, d1, s1);
      from += 2 * rowBytes;
    }
    if (i < count) {
      const d = f32x4.sub(v128.load(from), mean);
      s0 = multiplyAdd(d, d, s0);
      from += rowBytes;
    }
    const run = f32x4.add(s0, s1);
    low = f64x2.add(low, lowHalf(run));
    high = f64x2.add(high, highHalf(run));
  }
  return joined(low, high);
}

@inline
function lowHalf(x: v128): v128 {
  return f64x2.promote_low_f32x4(x);
}

@inline
function highHalf(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<i32>(x, x, 2, 3, 2, 3));
}

@inline
function joined(low: v128, high: v128): v128 {
  return v128.shuffle<i32>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 1, 4, 5);
}

/** Rows in one unit. */
export const UNIT_ROWS: i32 = 16;

/**
 * Layer norm, or RMS norm, of rows of `width` values (a multiple of four).
 *
 * args: x, weight, bias (0: none), y, rows, width, centre (0: RMS norm), eps. Units: blocks of 16 rows.
 */
export function rowNorm(args: usize, unit: i32): void {
  const weight = load<usize>(args, 4);
  const bias = load<usize>(args, 8);
  const width = load<i32>(args, 20);
  const centre = load<i32>(args, 24) != 0;
  const eps = load<f32>(args, 28);
  const bytes = (<usize>width) << 2;
  const begin = unit * UNIT_ROWS;
  const end = min(load<i32>(args, 16), begin + UNIT_ROWS);
  for (let row = begin; row < end; row += 1) {
    const x = load<usize>(args, 0) + (<usize>row) * bytes;
    const y = load<usize>(args, 12) + (<usize>row) * bytes;
    let mean = splat(0);
    if (centre) {
      let sum = splat(0);
      for (let i: usize = 0; i < bytes; i += 16) sum = f32x4.add(sum, v128.load(x + i));
      mean = splat(sumOf(sum) / <f32>width);
    }
    let squares = splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const d = f32x4.sub(v128.load(x + i), mean);
      squares = multiplyAdd(d, d, squares);
    }
    const inverse = splat(<f32>1 / sqrt<f32>(sumOf(squares) / <f32>width + eps));
    for (let i: usize = 0; i < bytes; i += 16) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + i), mean), inverse);
      const shift = bias ? v128.load(bias + i) : splat(0);
      v128.store(y + i, multiplyAdd(normal, v128.load(weight + i), shift));
    }
  }
}
