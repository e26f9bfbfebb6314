import { accumulateColumns } from './lane-product';
import { exp, multiplyAdd, splat } from './math';
import { multiply, TILE_ROWS } from './product';

/** Queries in one unit: a multiple of the lanes. */
const UNIT_QUERIES: i32 = 48;
/** Keys whose scores are there at a time, so that they stay in the cache: a multiple of the tile's rows. */
const CHUNK_KEYS: i32 = 192;
/** Queries side by side in two vectors: scores are [key, 8 queries], so that a softmax joins no lanes. */
export const LANES: i32 = 8;
/** A line [8 queries]. */
export const LINE: usize = 32;

/**
 * softmax(scale q k^T + bias) v: for 48 queries the scores of 192 keys at a time, their powers, and these times the values; what
 * was summed is scaled down where a later key has a larger score.
 *
 * args: q [B, N, L, D], k [B, N, S, D], v [B, N, S, Dv], y, bias (0: none), N, L, S, D, Dv, the bias' strides (bytes) of
 * B, N, L and S, scale. Units: heads * blocks of 48 queries.
 */
export function attention(args: usize, unit: i32, scratch: usize): void {
  const queries = load<i32>(args, 24);
  const keys = load<i32>(args, 28);
  const depth = load<i32>(args, 32);
  const valueDepth = load<i32>(args, 36);
  const blocks = (queries + UNIT_QUERIES - 1) / UNIT_QUERIES;
  const head = unit / blocks;
  const begin = (unit % blocks) * UNIT_QUERIES;
  const count = min(UNIT_QUERIES, queries - begin);
  const panels = (count + LANES - 1) / LANES;
  const step = (<usize>depth) << 2;
  const valueStep = (<usize>valueDepth) << 2;
  const q = load<usize>(args, 0) + (<usize>(head * queries + begin)) * step;
  const k = load<usize>(args, 4) + (<usize>(head * keys)) * step;
  const v = load<usize>(args, 8) + (<usize>(head * keys)) * valueStep;
  const y = load<usize>(args, 12) + (<usize>(head * queries + begin)) * valueStep;
  const bias = biasOf(args + 16, head, load<i32>(args, 20), args + 40);

  const packed = scratch; // [panels, D, 8 queries]
  const sums = packed + (<usize>(panels * depth)) * LINE; // [panels, Dv, 8]
  const state = sums + (<usize>(panels * valueDepth)) * LINE; // [panels, 2, 8]: the largest score, the powers' sum
  const scores = state + (<usize>panels) * 2 * LINE; // [panels, 192 keys, 8]
  const panelBytes = (<usize>CHUNK_KEYS) * LINE;
  transposeRows(q, count, panels, depth, load<f32>(args, 56), packed);
  memory.fill(sums, 0, (<usize>(panels * valueDepth)) * LINE);
  for (let panel: usize = 0; panel < <usize>panels; panel += 1) {
    const at = state + panel * 2 * LINE;
    v128.store(at, splat(-Infinity), 0);
    v128.store(at, splat(-Infinity), 16);
    v128.store(at, splat(0), 32);
    v128.store(at, splat(0), 48);
  }

  for (let first = 0; first < keys; first += CHUNK_KEYS) {
    const some = min(CHUNK_KEYS, keys - first);
    multiplyRows(k + (<usize>first) * step, some, depth, packed, panels, scores, panelBytes);
    for (let panel = 0; panel < panels; panel += 1) {
      const at = scores + (<usize>panel) * panelBytes;
      const into = sums + (<usize>(panel * valueDepth)) * LINE;
      if (bias) addBias(at, bias, args + 40, begin + panel * LANES, queries - 1, first, some);
      addPowers(at, some, state + (<usize>panel) * 2 * LINE, into, valueDepth);
      accumulateColumns(into, valueDepth, v + (<usize>first) * valueStep, valueStep, at, some);
    }
  }

  for (let panel = 0; panel < panels; panel += 1) {
    const at = state + (<usize>panel) * 2 * LINE;
    const into = sums + (<usize>(panel * valueDepth)) * LINE;
    // Where no score was above -Infinity the sum is none: NaN, as in torch.
    const inverse0 = multiplyAdd(v128.load(at, 0), splat(0), f32x4.div(splat(1), v128.load(at, 32)));
    const inverse1 = multiplyAdd(v128.load(at, 16), splat(0), f32x4.div(splat(1), v128.load(at, 48)));
    scaleLines(into, valueDepth, inverse0, inverse1);
    storeTransposed(into, valueDepth, min(LANES, count - panel * LANES), y + (<usize>(panel * LANES)) * valueStep, 1);
  }
}

/** Where the bias of a head begins; 0 for none. @param strides of B and N */
export function biasOf(at: usize, head: i32, heads: i32, strides: usize): usize {
  const bias = load<usize>(at);
  if (!bias) return 0;
  return bias + (<usize>(head / heads)) * load<usize>(strides, 0) + (<usize>(head % heads)) * load<usize>(strides, 4);
}

/** Rows [count, depth] times `factor` as panels [panels, depth, 8 rows]. Rows beyond `count` are zero. */
export function transposeRows(rows: usize, count: i32, panels: i32, depth: i32, factor: f32, to: usize): void {
  for (let row = 0; row < panels * LANES; row += 1) {
    const from = rows + ((<usize>(row * depth)) << 2);
    let at = to + (<usize>((row / LANES) * depth)) * LINE + ((<usize>(row % LANES)) << 2);
    for (let d: usize = 0; d < <usize>depth; d += 1) {
      const value: f32 = row < count ? load<f32>(from + (d << 2)) * factor : 0;
      store<f32>(at, value);
      at += LINE;
    }
  }
}

/** The first `count` of eight rows of a panel [depth, 8 rows], times `factor`. */
export function storeTransposed(panel: usize, depth: i32, count: i32, rows: usize, factor: f32): void {
  for (let row: usize = 0; row < <usize>count; row += 1) {
    const to = rows + row * ((<usize>depth) << 2);
    let at = panel + (row << 2);
    for (let d: usize = 0; d < <usize>depth; d += 1) {
      store<f32>(to + (d << 2), load<f32>(at) * factor);
      at += LINE;
    }
  }
}

/**
 * Rows [count, depth] times panels [panels, depth, 8]: [panels, count, 8], panels `panelBytes` apart. Where the rows are no
 * multiple of six, lines up to one follow.
 */
export function multiplyRows(
  rows: usize, count: i32, depth: i32, packed: usize, panels: i32, out: usize, panelBytes: usize,
): void {
  const step = (<usize>depth) << 2;
  for (let row = 0; row < count; row += TILE_ROWS) {
    const r0 = rows + (<usize>row) * step;
    const rest = <usize>min(TILE_ROWS - 1, count - 1 - row);
    for (let panel = 0; panel < panels; panel += 1) {
      multiply(
        out + (<usize>panel) * panelBytes + (<usize>row) * LINE, LINE, r0, r0 + min(rest, 1) * step,
        r0 + min(rest, 2) * step, r0 + min(rest, 3) * step, r0 + min(rest, 4) * step, r0 + min(rest, 5) * step,
        depth, packed + (<usize>(panel * depth)) * LINE, 0,
      );
    }
  }
}

/**
 * Adds the bias to the scores [count, 8] of eight queries and the keys from `key` on.
 *
 * @param strides of B, N, L and S; queries beyond `last` get that one's
 */
export function addBias(
  scores: usize, bias: usize, strides: usize, query: i32, last: i32, key: i32, count: i32,
): void {
  const queryStep = load<usize>(strides, 8);
  const keyStep = load<usize>(strides, 12);
  let from = bias + (<usize>key) * keyStep;
  for (let at = scores; at < scores + (<usize>count) * LINE; at += LINE) {
    if (queryStep == 0) {
      const value = v128.load32_splat(from);
      v128.store(at, f32x4.add(v128.load(at, 0), value), 0);
      v128.store(at, f32x4.add(v128.load(at, 16), value), 16);
    } else {
      for (let lane = 0; lane < LANES; lane += 1) {
        const place = at + ((<usize>lane) << 2);
        store<f32>(place, load<f32>(place) + load<f32>(from + (<usize>min(query + lane, last)) * queryStep));
      }
    }
    from += keyStep;
  }
}

/** What is taken off before the powers: the largest score, or 0 while none was above -Infinity. */
@inline
function shiftOf(largest: v128): v128 {
  return v128.andnot(largest, f32x4.eq(largest, splat(-Infinity)));
}

/**
 * Puts e^(score - largest) in place of the scores [count, 8], and scales `sums` [depth, 8] down to the largest score so far.
 * A score that is NaN is left out of the largest, and makes its power and so the sum NaN.
 */
function addPowers(scores: usize, count: i32, state: usize, sums: usize, depth: i32): void {
  const end = scores + (<usize>count) * LINE;
  const before0 = v128.load(state, 0), before1 = v128.load(state, 16);
  let largest0 = before0, largest1 = before1;
  for (let at = scores; at < end; at += LINE) {
    largest0 = f32x4.pmax(largest0, v128.load(at, 0));
    largest1 = f32x4.pmax(largest1, v128.load(at, 16));
  }
  const shift0 = shiftOf(largest0), shift1 = shiftOf(largest1);
  let sum0 = v128.load(state, 32), sum1 = v128.load(state, 48);
  if (v128.any_true(v128.or(f32x4.ne(largest0, before0), f32x4.ne(largest1, before1)))) {
    const factor0 = exp(f32x4.sub(before0, shift0)), factor1 = exp(f32x4.sub(before1, shift1));
    sum0 = f32x4.mul(sum0, factor0);
    sum1 = f32x4.mul(sum1, factor1);
    scaleLines(sums, depth, factor0, factor1);
    v128.store(state, largest0, 0);
    v128.store(state, largest1, 16);
  }
  for (let at = scores; at < end; at += LINE) {
    const power0 = exp(f32x4.sub(v128.load(at, 0), shift0));
    const power1 = exp(f32x4.sub(v128.load(at, 16), shift1));
    v128.store(at, power0, 0);
    v128.store(at, power1, 16);
    sum0 = f32x4.add(sum0, power0);
    sum1 = f32x4.add(sum1, power1);
  }
  v128.store(state, sum0, 32);
  v128.store(state, sum1, 48);
}

/** Lines [count, 8] times eight factors. */
function scaleLines(lines: usize, count: i32, factor0: v128, factor1: v128): void {
  for (let at = lines; at < lines + (<usize>count) * LINE; at += LINE) {
    v128.store(at, f32x4.mul(v128.load(at, 0), factor0), 0);
    v128.store(at, f32x4.mul(v128.load(at, 16), factor1), 16);
  }
}
