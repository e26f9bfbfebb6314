import { gelu, geluDerivative, silu } from './math';

/** Values in one unit. */
const UNIT_VALUES: i32 = 8192;

/** y = silu(x) or gelu(x). args: x, y, count, kind (0: silu, 1: gelu). Units: blocks of 8192 values. */
export function activation(args: usize, unit: i32, scratch: usize): void {
  const begin = unit * UNIT_VALUES;
  const count = min(load<i32>(args, 8) - begin, UNIT_VALUES);
  const x = load<usize>(args, 0) + ((<usize>begin) << 2);
  const y = load<usize>(args, 4) + ((<usize>begin) << 2);
  const isSilu = load<i32>(args, 12) == 0;
  const whole = (<usize>(count & ~3)) << 2;
  if (isSilu) for (let i: usize = 0; i < whole; i += 16) v128.store(y + i, silu(v128.load(x + i)));
  else for (let i: usize = 0; i < whole; i += 16) v128.store(y + i, gelu(v128.load(x + i)));
  const rest = (count & 3) << 2;
  if (rest == 0) return;
  v128.store(scratch, f32x4.splat(0));
  memory.copy(scratch, x + whole, rest);
  const values = v128.load(scratch);
  v128.store(scratch, isSilu ? silu(values) : gelu(values));
  memory.copy(y + whole, scratch, rest);
}

/** Rows in one unit. */
const UNIT_ROWS: i32 = 16;

/** Rows [value, gate] of 2 * width to value * gelu(gate). args: x, y, rows, width (a multiple of four). */
export function geglu(args: usize, unit: i32): void {
  const bytes = (<usize>load<i32>(args, 12)) << 2;
  const begin = unit * UNIT_ROWS;
  const end = min(load<i32>(args, 8), begin + UNIT_ROWS);
  for (let row = begin; row < end; row += 1) {
    const x = load<usize>(args, 0) + (<usize>row) * 2 * bytes;
    const y = load<usize>(args, 4) + (<usize>row) * bytes;
    for (let i: usize = 0; i < bytes; i += 16) {
      v128.store(y + i, f32x4.mul(v128.load(x + i), gelu(v128.load(x + bytes + i))));
    }
  }
}

/** The gradient of `geglu`: rows [dy * gelu(gate), dy * value * gelu'(gate)]. args: x, dy, dx, rows, width. */
export function gegluGradient(args: usize, unit: i32): void {
  const bytes = (<usize>load<i32>(args, 16)) << 2;
  const begin = unit * UNIT_ROWS;
  const end = min(load<i32>(args, 12), begin + UNIT_ROWS);
  for (let row = begin; row < end; row += 1) {
    const x = load<usize>(args, 0) + (<usize>row) * 2 * bytes;
    const dy = load<usize>(args, 4) + (<usize>row) * bytes;
    const dx = load<usize>(args, 8) + (<usize>row) * 2 * bytes;
    for (let i: usize = 0; i < bytes; i += 16) {
      const gate = v128.load(x + bytes + i);
      const slope = v128.load(dy + i);
      v128.store(dx + i, f32x4.mul(slope, gelu(gate)));
      v128.store(dx + bytes + i, f32x4.mul(f32x4.mul(slope, v128.load(x + i)), geluDerivative(gate)));
    }
  }
}

/**
 * y = a + b, where b is repeated: whole runs of `run` values of a meet rows of b, the next one every `each` runs.
 *
 * args: a, b, y, runs, run (values), each, rows of b. Units: blocks of `perUnit` runs (arg 7).
 */
export function add(args: usize, unit: i32): void {
  const run = load<i32>(args, 16);
  const each = load<i32>(args, 20);
  const rows = load<i32>(args, 24);
  const perUnit = load<i32>(args, 28);
  const begin = unit * perUnit;
  const end = min(load<i32>(args, 12), begin + perUnit);
  const bytes = (<usize>run) << 2;
  const whole = (<usize>(run & ~3)) << 2;
  for (let i = begin; i < end; i += 1) {
    const a = load<usize>(args, 0) + (<usize>i) * bytes;
    const y = load<usize>(args, 8) + (<usize>i) * bytes;
    const b = load<usize>(args, 4) + (<usize>((i / each) % rows)) * bytes;
    for (let at: usize = 0; at < whole; at += 16) {
      v128.store(y + at, f32x4.add(v128.load(a + at), v128.load(b + at)));
    }
    for (let at = whole; at < bytes; at += 4) store<f32>(y + at, load<f32>(a + at) + load<f32>(b + at));
  }
}

/**
 * Copies blocks between places: [outer, middle, inner] runs of `bytes` each, with a stride of its own for each axis on both
 * sides. The order of heads, and joining along the channels, are such copies.
 *
 * args: from, to, outer, middle, inner, bytes, from's strides (3), to's strides (3), all in bytes. Units: outer * middle.
 */
export function copyBlocks(args: usize, unit: i32): void {
  const middle = load<i32>(args, 12);
  const inner = load<i32>(args, 16);
  const bytes = load<usize>(args, 20);
  const o = <usize>(unit / middle);
  const m = <usize>(unit % middle);
  let from = load<usize>(args, 0) + o * load<usize>(args, 24) + m * load<usize>(args, 28);
  let to = load<usize>(args, 4) + o * load<usize>(args, 36) + m * load<usize>(args, 40);
  const fromStep = load<usize>(args, 32);
  const toStep = load<usize>(args, 44);
  for (let i = 0; i < inner; i += 1) {
    let at: usize = 0;
    for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
    for (; at < bytes; at += 4) store<u32>(to + at, load<u32>(from + at));
    from += fromStep;
    to += toStep;
  }
}
