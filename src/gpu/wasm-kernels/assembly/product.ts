import { multiplyAdd } from './math';

/** Rows of a tile. With eight columns that is 12 accumulators: what 16 vector registers hold beside the operands. */
export const TILE_ROWS: i32 = 6;
/** Columns of a tile, and of a panel of packed weights. */
export const TILE_COLUMNS: i32 = 8;
export const TILE_BYTES: usize = 32; // a row of a tile

/**
 * Adds to a 6 x 8 tile the product of six rows of `depth` values with a [depth, 8] panel.
 *
 * One offset for six rows, and one value a turn: six pointers that move, or turns of four values, take more instructions
 * or registers than there are (a tenth to a quarter slower).
 *
 * @param tile 6 x 8 sums
 * @param b the panel's first row; the next ones follow every `bStride` bytes
 */
export function accumulate(
  tile: usize, a0: usize, a1: usize, a2: usize, a3: usize, a4: usize, a5: usize,
  depth: i32, b: usize, bStride: usize,
): void {
  let c00 = v128.load(tile, 0), c01 = v128.load(tile, 16);
  let c10 = v128.load(tile, 32), c11 = v128.load(tile, 48);
  let c20 = v128.load(tile, 64), c21 = v128.load(tile, 80);
  let c30 = v128.load(tile, 96), c31 = v128.load(tile, 112);
  let c40 = v128.load(tile, 128), c41 = v128.load(tile, 144);
  let c50 = v128.load(tile, 160), c51 = v128.load(tile, 176);
  const bytes = (<usize>depth) << 2;
  for (let at: usize = 0; at < bytes; at += 4) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    let a = v128.load32_splat(a0 + at);
    c00 = multiplyAdd(a, b0, c00);
    c01 = multiplyAdd(a, b1, c01);
    a = v128.load32_splat(a1 + at);
    c10 = multiplyAdd(a, b0, c10);
    c11 = multiplyAdd(a, b1, c11);
    a = v128.load32_splat(a2 + at);
    c20 = multiplyAdd(a, b0, c20);
    c21 = multiplyAdd(a, b1, c21);
    a = v128.load32_splat(a3 + at);
    c30 = multiplyAdd(a, b0, c30);
    c31 = multiplyAdd(a, b1, c31);
    a = v128.load32_splat(a4 + at);
    c40 = multiplyAdd(a, b0, c40);
    c41 = multiplyAdd(a, b1, c41);
    a = v128.load32_splat(a5 + at);
    c50 = multiplyAdd(a, b0, c50);
    c51 = multiplyAdd(a, b1, c51);
    b += bStride;
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

/**
 * The product of six rows of `depth` values with a [depth, 8] panel, and the eight values at `bias` (0: none), written to rows that
 * are `outStride` bytes apart: for short depths, where a tile that is filled, added to and copied takes as long as the product.
 */
export function multiply(
  out: usize, outStride: usize, a0: usize, a1: usize, a2: usize, a3: usize, a4: usize, a5: usize,
  depth: i32, b: usize, bias: usize,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  if (bias) {
    c00 = v128.load(bias, 0);
    c01 = v128.load(bias, 16);
  }
  let c10 = c00, c11 = c01, c20 = c00, c21 = c01, c30 = c00, c31 = c01, c40 = c00, c41 = c01, c50 = c00, c51 = c01;
  const bytes = (<usize>depth) << 2;
  for (let at: usize = 0; at < bytes; at += 4) {
    const b0 = v128.load(b, 0);
    const b1 = v128.load(b, 16);
    let a = v128.load32_splat(a0 + at);
    c00 = multiplyAdd(a, b0, c00);
    c01 = multiplyAdd(a, b1, c01);
    a = v128.load32_splat(a1 + at);
    c10 = multiplyAdd(a, b0, c10);
    c11 = multiplyAdd(a, b1, c11);
    a = v128.load32_splat(a2 + at);
    c20 = multiplyAdd(a, b0, c20);
    c21 = multiplyAdd(a, b1, c21);
    a = v128.load32_splat(a3 + at);
    c30 = multiplyAdd(a, b0, c30);
    c31 = multiplyAdd(a, b1, c31);
    a = v128.load32_splat(a4 + at);
    c40 = multiplyAdd(a, b0, c40);
    c41 = multiplyAdd(a, b1, c41);
    a = v128.load32_splat(a5 + at);
    c50 = multiplyAdd(a, b0, c50);
    c51 = multiplyAdd(a, b1, c51);
    b += TILE_BYTES;
  }
  v128.store(out, c00, 0);
  v128.store(out, c01, 16);
  out += outStride;
  v128.store(out, c10, 0);
  v128.store(out, c11, 16);
  out += outStride;
  v128.store(out, c20, 0);
  v128.store(out, c21, 16);
  out += outStride;
  v128.store(out, c30, 0);
  v128.store(out, c31, 16);
  out += outStride;
  v128.store(out, c40, 0);
  v128.store(out, c41, 16);
  out += outStride;
  v128.store(out, c50, 0);
  v128.store(out, c51, 16);
}

/**
 * Adds to a 6 x 8 tile the sum, over `lines` of `count` positions each, of six values at a times eight values at b: the
 * product of a transposed matrix with another one, and so what gradients of weights are.
 *
 * @param a1 where the second of the six values lies behind the first one, in bytes; a2 to a5 the others
 * @param aStep bytes to the next position, aLineStep to the next line; the same of b
 */
export function accumulateOuter(
  tile: usize, a: usize, a1: usize, a2: usize, a3: usize, a4: usize, a5: usize, aStep: usize, aLineStep: usize,
  b: usize, bStep: usize, bLineStep: usize, count: i32, lines: i32,
): void {
  let c00 = v128.load(tile, 0), c01 = v128.load(tile, 16);
  let c10 = v128.load(tile, 32), c11 = v128.load(tile, 48);
  let c20 = v128.load(tile, 64), c21 = v128.load(tile, 80);
  let c30 = v128.load(tile, 96), c31 = v128.load(tile, 112);
  let c40 = v128.load(tile, 128), c41 = v128.load(tile, 144);
  let c50 = v128.load(tile, 160), c51 = v128.load(tile, 176);
  for (let line = 0; line < lines; line += 1) {
    let at = a;
    let from = b;
    for (let k = 0; k < count; k += 1) {
      const b0 = v128.load(from, 0);
      const b1 = v128.load(from, 16);
      let value = v128.load32_splat(at);
      c00 = multiplyAdd(value, b0, c00);
      c01 = multiplyAdd(value, b1, c01);
      value = v128.load32_splat(at + a1);
      c10 = multiplyAdd(value, b0, c10);
      c11 = multiplyAdd(value, b1, c11);
      value = v128.load32_splat(at + a2);
      c20 = multiplyAdd(value, b0, c20);
      c21 = multiplyAdd(value, b1, c21);
      value = v128.load32_splat(at + a3);
      c30 = multiplyAdd(value, b0, c30);
      c31 = multiplyAdd(value, b1, c31);
      value = v128.load32_splat(at + a4);
      c40 = multiplyAdd(value, b0, c40);
      c41 = multiplyAdd(value, b1, c41);
      value = v128.load32_splat(at + a5);
      c50 = multiplyAdd(value, b0, c50);
      c51 = multiplyAdd(value, b1, c51);
      at += aStep;
      from += bStep;
    }
    a += aLineStep;
    b += bLineStep;
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

/** Sets the six rows of a tile to the first `columns` of the values at `values`, or to zero where that is 0. */
export function fillTile(tile: usize, values: usize, columns: i32): void {
  let left = f32x4.splat(0);
  let right = f32x4.splat(0);
  if (values) {
    if (columns >= TILE_COLUMNS) {
      left = v128.load(values, 0);
      right = v128.load(values, 16);
    } else {
      v128.store(tile, left, 0);
      v128.store(tile, right, 16);
      memory.copy(tile, values, columns << 2);
      left = v128.load(tile, 0);
      right = v128.load(tile, 16);
    }
  }
  for (let row: usize = 0; row < 6; row += 1) {
    v128.store(tile + row * TILE_BYTES, left, 0);
    v128.store(tile + row * TILE_BYTES, right, 16);
  }
}

/** Stores the first `columns` of a row of a tile. */
export function storeRow(tile: usize, row: i32, columns: i32, out: usize): void {
  const from = tile + (<usize>row) * TILE_BYTES;
  if (columns >= TILE_COLUMNS) {
    v128.store(out, v128.load(from, 0), 0);
    v128.store(out, v128.load(from, 16), 16);
  } else {
    memory.copy(out, from, columns << 2);
  }
}
