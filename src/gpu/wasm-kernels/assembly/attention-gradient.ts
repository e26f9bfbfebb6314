import { addBias, biasOf, LANES, LINE, multiplyRows, storeTransposed, transposeRows } from './attention';
import { accumulateColumns, accumulateLanes } from './lane-product';
import { exp, multiplyAdd, splat } from './math';
import { storeRow, TILE_COLUMNS, TILE_ROWS } from './product';

/** Keys that are passed over at a time behind the softmax: a multiple of the tile's rows. */
const CHUNK_KEYS: i32 = 60;

/**
 * The gradients of `attention` by its queries, keys and values. For a block of queries at a time the powers p of the scores and,
 * beside them, dp = dy v^T, both in `scratch` and so in the cache, as lines [key, 8 queries]; then, with the probabilities
 * P = p / sum(p), the gradient of the scores dS = P (dp - sum(P dp)), dq = scale dS k, dk += dS^T (scale q) and dv += P^T dy.
 *
 * args: q [B, N, L, D], k, v, dy [B, N, L, Dv], dq, dk, dv, bias (0: none), N, L, S, D, Dv, the bias' strides (bytes) of B, N,
 * L and S, scale, queries of a block (a multiple of eight). Units: heads.
 */
export function attentionGradient(args: usize, unit: i32, scratch: usize): void {
  const queries = load<i32>(args, 36);
  const keys = load<i32>(args, 40);
  const depth = load<i32>(args, 44);
  const valueDepth = load<i32>(args, 48);
  const scale = load<f32>(args, 68);
  const blockQueries = load<i32>(args, 72);
  const head = <usize>unit;
  const step = (<usize>depth) << 2;
  const valueStep = (<usize>valueDepth) << 2;
  const q = load<usize>(args, 0) + head * (<usize>queries) * step;
  const k = load<usize>(args, 4) + head * (<usize>keys) * step;
  const v = load<usize>(args, 8) + head * (<usize>keys) * valueStep;
  const dy = load<usize>(args, 12) + head * (<usize>queries) * valueStep;
  const dq = load<usize>(args, 16) + head * (<usize>queries) * step;
  const dk = load<usize>(args, 20) + head * (<usize>keys) * step;
  const dv = load<usize>(args, 24) + head * (<usize>keys) * valueStep;
  const bias = biasOf(args + 28, unit, load<i32>(args, 32), args + 52);

  const most = <usize>(blockQueries / LANES); // panels
  const rowBytes = roundUp(depth) << 2;
  const valueRowBytes = roundUp(valueDepth) << 2;
  const tile = scratch;
  const packed = tile + 192; // [panels, D, 8 queries]
  const packedSlopes = packed + most * (<usize>depth) * LINE; // dy, [panels, Dv, 8]
  const sums = packedSlopes + most * (<usize>valueDepth) * LINE; // dq, [panels, D, 8]
  const rows = sums + most * (<usize>depth) * LINE; // scale q, [queries, D, rounded up]
  const slopeRows = rows + most * 8 * rowBytes; // dy / sum(p)
  const state = slopeRows + most * 8 * valueRowBytes; // 1 / sum(p) and sum(P dp) / sum(p), [panels, 2, 8]
  const powers = state + most * 2 * LINE; // [panels, keys, 8]
  const panelBytes = (<usize>((keys + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS)) * LINE;
  const slopes = powers + most * panelBytes;
  memory.fill(dk, 0, (<usize>keys) * step);
  memory.fill(dv, 0, (<usize>keys) * valueStep);
  for (let begin = 0; begin < queries; begin += blockQueries) {
    const count = min(blockQueries, queries - begin);
    const panels = (count + LANES - 1) / LANES;
    const q0 = q + (<usize>begin) * step;
    const dy0 = dy + (<usize>begin) * valueStep;
    transposeRows(q0, count, panels, depth, scale, packed);
    transposeRows(dy0, count, panels, valueDepth, 1, packedSlopes);
    multiplyRows(k, keys, depth, packed, panels, powers, panelBytes);
    multiplyRows(v, keys, valueDepth, packedSlopes, panels, slopes, panelBytes);
    for (let panel = 0; panel < panels; panel += 1) {
      const at = <usize>panel;
      const p = powers + at * panelBytes;
      if (bias) addBias(p, bias, args + 52, begin + panel * LANES, queries - 1, 0, keys);
      softmaxState(p, slopes + at * panelBytes, keys, state + at * 2 * LINE);
    }
    copyRows(q0, count, panels, depth, splat(scale), 0, rows, rowBytes);
    copyRows(dy0, count, panels, valueDepth, splat(1), state, slopeRows, valueRowBytes);
    memory.fill(sums, 0, (<usize>(panels * depth)) * LINE);
    for (let first = 0; first < keys; first += CHUNK_KEYS) {
      const some = min(CHUNK_KEYS, keys - first);
      const offset = (<usize>first) * LINE;
      for (let panel: usize = 0; panel < <usize>panels; panel += 1) {
        const ds = slopes + panel * panelBytes + offset;
        scoresGradient(powers + panel * panelBytes + offset, ds, some, state + panel * 2 * LINE);
        accumulateColumns(sums + panel * (<usize>depth) * LINE, depth, k + (<usize>first) * step, step, ds, some);
      }
      addProducts(tile, dv, valueDepth, first, some, powers, panelBytes, panels, slopeRows, valueRowBytes);
      addProducts(tile, dk, depth, first, some, slopes, panelBytes, panels, rows, rowBytes);
    }
    for (let panel = 0; panel < panels; panel += 1) {
      const to = dq + (<usize>(begin + panel * LANES)) * step;
      storeTransposed(sums + (<usize>(panel * depth)) * LINE, depth, min(LANES, count - panel * LANES), to, scale);
    }
  }
}

/** Values of a row in whole tiles. */
@inline
function roundUp(depth: i32): usize {
  return <usize>((depth + TILE_COLUMNS - 1) & ~(TILE_COLUMNS - 1));
}

/**
 * Puts e^(score - largest) in place of the scores [count, 8] of eight queries, and makes of them and of dp [count, 8] what the
 * gradient of the scores needs.
 */
function softmaxState(scores: usize, slopes: usize, count: i32, state: usize): void {
  const end = (<usize>count) * LINE;
  let largest0 = splat(-Infinity), largest1 = splat(-Infinity);
  for (let at: usize = 0; at < end; at += LINE) {
    largest0 = f32x4.pmax(largest0, v128.load(scores + at, 0));
    largest1 = f32x4.pmax(largest1, v128.load(scores + at, 16));
  }
  let sum0 = splat(0), sum1 = splat(0), along0 = splat(0), along1 = splat(0);
  for (let at: usize = 0; at < end; at += LINE) {
    const power0 = exp(f32x4.sub(v128.load(scores + at, 0), largest0));
    const power1 = exp(f32x4.sub(v128.load(scores + at, 16), largest1));
    v128.store(scores + at, power0, 0);
    v128.store(scores + at, power1, 16);
    sum0 = f32x4.add(sum0, power0);
    sum1 = f32x4.add(sum1, power1);
    along0 = multiplyAdd(power0, v128.load(slopes + at, 0), along0);
    along1 = multiplyAdd(power1, v128.load(slopes + at, 16), along1);
  }
  const inverse0 = f32x4.div(splat(1), sum0), inverse1 = f32x4.div(splat(1), sum1);
  v128.store(state, inverse0, 0);
  v128.store(state, inverse1, 16);
  v128.store(state, f32x4.mul(f32x4.mul(along0, inverse0), inverse0), 32);
  v128.store(state, f32x4.mul(f32x4.mul(along1, inverse1), inverse1), 48);
}

/** dS in place of dp: p (dp / sum(p) - sum(P dp) / sum(p)). */
function scoresGradient(powers: usize, slopes: usize, count: i32, state: usize): void {
  const inverse0 = v128.load(state, 0), inverse1 = v128.load(state, 16);
  const along0 = v128.load(state, 32), along1 = v128.load(state, 48);
  for (let at: usize = 0; at < (<usize>count) * LINE; at += LINE) {
    const apart0 = f32x4.sub(f32x4.mul(v128.load(slopes + at, 0), inverse0), along0);
    const apart1 = f32x4.sub(f32x4.mul(v128.load(slopes + at, 16), inverse1), along1);
    v128.store(slopes + at, f32x4.mul(v128.load(powers + at, 0), apart0), 0);
    v128.store(slopes + at, f32x4.mul(v128.load(powers + at, 16), apart1), 16);
  }
}

/**
 * Rows [count, depth] times `factor`, and by 1 / sum(p) of each where there is a `state`; what is beyond the rows and their width is
 * zero.
 */
function copyRows(
  from: usize, count: i32, panels: i32, depth: i32, factor: v128, state: usize, to: usize, rowBytes: usize,
): void {
  memory.fill(to, 0, (<usize>(panels * LANES)) * rowBytes);
  for (let row = 0; row < count; row += 1) {
    let scaled: f32 = f32x4.extract_lane(factor, 0);
    if (state) scaled *= load<f32>(state + (<usize>(row / LANES)) * 2 * LINE + ((<usize>(row % LANES)) << 2));
    for (let d: usize = 0; d < <usize>depth; d += 1) {
      store<f32>(to + (d << 2), load<f32>(from + (d << 2)) * scaled);
    }
    from += (<usize>depth) << 2;
    to += rowBytes;
  }
}

/**
 * Adds to the rows from `first` on of `sums` [keys, depth] the products of lines [panels, count, 8 queries] with the queries' rows
 * [8 panels, depth, rounded up].
 */
function addProducts(
  tile: usize, sums: usize, depth: i32, first: i32, count: i32,
  lines: usize, panelBytes: usize, panels: i32, rows: usize, rowBytes: usize,
): void {
  const step = (<usize>depth) << 2;
  for (let key = first; key < first + count; key += TILE_ROWS) {
    const some = min(TILE_ROWS, first + count - key);
    const from = lines + (<usize>key) * LINE;
    for (let column = 0; column < depth; column += TILE_COLUMNS) {
      const to = sums + (<usize>key) * step + ((<usize>column) << 2);
      const b = rows + ((<usize>column) << 2);
      if (some == TILE_ROWS && column + TILE_COLUMNS <= depth) {
        accumulateLanes(to, step, from, panelBytes, panels, b, rowBytes);
        continue;
      }
      const columns = min(TILE_COLUMNS, depth - column);
      for (let i = 0; i < some; i += 1) memory.copy(tile + ((<usize>i) << 5), to + (<usize>i) * step, columns << 2);
      accumulateLanes(tile, 32, from, panelBytes, panels, b, rowBytes);
      for (let i = 0; i < some; i += 1) storeRow(tile, i, columns, to + (<usize>i) * step);
    }
  }
}
