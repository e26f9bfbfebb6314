/** Products of attention, whose scores stand as lines [key, 8 queries]. */
import { multiplyAdd } from './math';

/**
 * Adds to lines [columns, 8] the product of rows [count, columns], transposed, with lines [count, 8]: six columns at a time, four
 * or one where there are no more.
 *
 * @param step bytes from one row to the next
 */
export function accumulateColumns(to: usize, columns: i32, rows: usize, step: usize, lines: usize, count: i32): void {
  let left = columns;
  while (left > 0) {
    let taken = 1;
    if (left >= 6 && left != 8) {
      taken = 6;
      accumulateSix(to, rows, step, lines, count);
    } else if (left >= 4) {
      taken = 4;
      accumulateFour(to, rows, step, lines, count);
    } else accumulateOne(to, rows, step, lines, count);
    left -= taken;
    to += (<usize>taken) << 5;
    rows += (<usize>taken) << 2;
  }
}

export function accumulateSix(tile: usize, a: usize, aStep: usize, b: usize, count: i32): void {
  let c00 = v128.load(tile, 0), c01 = v128.load(tile, 16);
  let c10 = v128.load(tile, 32), c11 = v128.load(tile, 48);
  let c20 = v128.load(tile, 64), c21 = v128.load(tile, 80);
  let c30 = v128.load(tile, 96), c31 = v128.load(tile, 112);
  let c40 = v128.load(tile, 128), c41 = v128.load(tile, 144);
  let c50 = v128.load(tile, 160), c51 = v128.load(tile, 176);
  for (const end = b + ((<usize>count) << 5); b < end; b += 32) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    let value = v128.load32_splat(a, 0);
    c00 = multiplyAdd(value, b0, c00);
    c01 = multiplyAdd(value, b1, c01);
    value = v128.load32_splat(a, 4);
    c10 = multiplyAdd(value, b0, c10);
    c11 = multiplyAdd(value, b1, c11);
    value = v128.load32_splat(a, 8);
    c20 = multiplyAdd(value, b0, c20);
    c21 = multiplyAdd(value, b1, c21);
    value = v128.load32_splat(a, 12);
    c30 = multiplyAdd(value, b0, c30);
    c31 = multiplyAdd(value, b1, c31);
    value = v128.load32_splat(a, 16);
    c40 = multiplyAdd(value, b0, c40);
    c41 = multiplyAdd(value, b1, c41);
    value = v128.load32_splat(a, 20);
    c50 = multiplyAdd(value, b0, c50);
    c51 = multiplyAdd(value, b1, c51);
    a += aStep;
  }
  v128.store(tile, c00, 0);
  v128.store(tile, c01, 16);
  v128.store(tile, c10, 32);
  v128.store(tile, c11, 48);
  v128.store(tile, c20, 64);
  v128.store(tile, c21, 80);
  v128.store(tile, c30, 96);
  v128.store(tile, c31, 112);
  v128.store(tile, c40, 128);
  v128.store(tile, c41, 144);
  v128.store(tile, c50, 160);
  v128.store(tile, c51, 176);
}

export function accumulateFour(tile: usize, a: usize, aStep: usize, b: usize, count: i32): void {
  let c00 = v128.load(tile, 0), c01 = v128.load(tile, 16);
  let c10 = v128.load(tile, 32), c11 = v128.load(tile, 48);
  let c20 = v128.load(tile, 64), c21 = v128.load(tile, 80);
  let c30 = v128.load(tile, 96), c31 = v128.load(tile, 112);
  for (const end = b + ((<usize>count) << 5); b < end; b += 32) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    let value = v128.load32_splat(a, 0);
    c00 = multiplyAdd(value, b0, c00);
    c01 = multiplyAdd(value, b1, c01);
    value = v128.load32_splat(a, 4);
    c10 = multiplyAdd(value, b0, c10);
    c11 = multiplyAdd(value, b1, c11);
    value = v128.load32_splat(a, 8);
    c20 = multiplyAdd(value, b0, c20);
    c21 = multiplyAdd(value, b1, c21);
    value = v128.load32_splat(a, 12);
    c30 = multiplyAdd(value, b0, c30);
    c31 = multiplyAdd(value, b1, c31);
    a += aStep;
  }
  v128.store(tile, c00, 0);
  v128.store(tile, c01, 16);
  v128.store(tile, c10, 32);
  v128.store(tile, c11, 48);
  v128.store(tile, c20, 64);
  v128.store(tile, c21, 80);
  v128.store(tile, c30, 96);
  v128.store(tile, c31, 112);
}

export function accumulateOne(tile: usize, a: usize, aStep: usize, b: usize, count: i32): void {
  let c00 = v128.load(tile, 0), c01 = v128.load(tile, 16);
  for (const end = b + ((<usize>count) << 5); b < end; b += 32) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    const value = v128.load32_splat(a, 0);
    c00 = multiplyAdd(value, b0, c00);
    c01 = multiplyAdd(value, b1, c01);
    a += aStep;
  }
  v128.store(tile, c00, 0);
  v128.store(tile, c01, 16);
}

/**
 * Adds to a 6 x 8 tile, its rows `outStep` bytes apart, the product of six lines of each of some panels [panels, 6, 8] with rows
 * [8 panels, 8 columns]: with attention's gradients of keys and values, where lanes are queries.
 */
export function accumulateLanes(
  out: usize, outStep: usize, a: usize, panelBytes: usize, panels: i32, b: usize, bStep: usize,
): void {
  const o0 = out;
  const o1 = out + outStep;
  const o2 = out + 2 * outStep;
  const o3 = out + 3 * outStep;
  const o4 = out + 4 * outStep;
  const o5 = out + 5 * outStep;
  let c00 = v128.load(o0, 0), c01 = v128.load(o0, 16);
  let c10 = v128.load(o1, 0), c11 = v128.load(o1, 16);
  let c20 = v128.load(o2, 0), c21 = v128.load(o2, 16);
  let c30 = v128.load(o3, 0), c31 = v128.load(o3, 16);
  let c40 = v128.load(o4, 0), c41 = v128.load(o4, 16);
  let c50 = v128.load(o5, 0), c51 = v128.load(o5, 16);
  // One loop, as loops inside of loops are unrolled, which leaves no registers; the step to the next panel is a choice, no branch.
  const bytes = (<usize>panels) << 5;
  const next = panelBytes - 28;
  for (let at: usize = 4; at <= bytes; at += 4) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    let value = v128.load32_splat(a, 0);
    c00 = multiplyAdd(value, b0, c00);
    c01 = multiplyAdd(value, b1, c01);
    value = v128.load32_splat(a, 32);
    c10 = multiplyAdd(value, b0, c10);
    c11 = multiplyAdd(value, b1, c11);
    value = v128.load32_splat(a, 64);
    c20 = multiplyAdd(value, b0, c20);
    c21 = multiplyAdd(value, b1, c21);
    value = v128.load32_splat(a, 96);
    c30 = multiplyAdd(value, b0, c30);
    c31 = multiplyAdd(value, b1, c31);
    value = v128.load32_splat(a, 128);
    c40 = multiplyAdd(value, b0, c40);
    c41 = multiplyAdd(value, b1, c41);
    value = v128.load32_splat(a, 160);
    c50 = multiplyAdd(value, b0, c50);
    c51 = multiplyAdd(value, b1, c51);
    a += select<usize>(4, next, <bool>(at & 31));
    b += bStep;
  }
  v128.store(o0, c00, 0);
  v128.store(o0, c01, 16);
  v128.store(o1, c10, 0);
  v128.store(o1, c11, 16);
  v128.store(o2, c20, 0);
  v128.store(o2, c21, 16);
  v128.store(o3, c30, 0);
  v128.store(o3, c31, 16);
  v128.store(o4, c40, 0);
  v128.store(o4, c41, 16);
  v128.store(o5, c50, 0);
  v128.store(o5, c51, 16);
}
