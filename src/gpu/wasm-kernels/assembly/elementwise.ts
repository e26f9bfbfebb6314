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

/**
 * A step of AdamW: the moments m and v, and value = decay * weight - stepSize * m / (sqrt(v) / root + eps).
 *
 * args: weight, gradient, m and v before (0: none), value, m, v, count, beta1, 1 - beta1, beta2, 1 - beta2, root, eps,
 * decay, stepSize. Units: blocks of 8192 values.
 */
export function adamWUpdate(args: usize, unit: i32): void {
  const offset = (<usize>unit) * UNIT_VALUES * 4;
  const count = min(load<i32>(args, 28) - unit * UNIT_VALUES, UNIT_VALUES);
  const weight = load<usize>(args, 0) + offset;
  const gradient = load<usize>(args, 4) + offset;
  const hasMoments = load<usize>(args, 8) != 0;
  const firstBefore = load<usize>(args, 8) + offset;
  const secondBefore = load<usize>(args, 12) + offset;
  const value = load<usize>(args, 16) + offset;
  const first = load<usize>(args, 20) + offset;
  const second = load<usize>(args, 24) + offset;
  const beta1 = load<f32>(args, 32), rest1 = load<f32>(args, 36);
  const beta2 = load<f32>(args, 40), rest2 = load<f32>(args, 44);
  const root = load<f32>(args, 48), eps = load<f32>(args, 52);
  const decay = load<f32>(args, 56), stepSize = load<f32>(args, 60);
  const bytes = (<usize>count) << 2;
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) {
    const g = v128.load(gradient + i);
    let m = f32x4.mul(g, f32x4.splat(rest1));
    let v = f32x4.mul(f32x4.mul(g, g), f32x4.splat(rest2));
    if (hasMoments) {
      m = f32x4.add(f32x4.mul(v128.load(firstBefore + i), f32x4.splat(beta1)), m);
      v = f32x4.add(f32x4.mul(v128.load(secondBefore + i), f32x4.splat(beta2)), v);
    }
    v128.store(first + i, m);
    v128.store(second + i, v);
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), f32x4.splat(root)), f32x4.splat(eps));
    const step = f32x4.mul(f32x4.div(m, denominator), f32x4.splat(stepSize));
    v128.store(value + i, f32x4.sub(f32x4.mul(v128.load(weight + i), f32x4.splat(decay)), step));
  }
  for (; i < bytes; i += 4) {
    const g = load<f32>(gradient + i);
    let m: f32 = g * rest1;
    let v: f32 = g * g * rest2;
    if (hasMoments) {
      m = load<f32>(firstBefore + i) * beta1 + m;
      v = load<f32>(secondBefore + i) * beta2 + v;
    }
    store<f32>(first + i, m);
    store<f32>(second + i, v);
    store<f32>(value + i, load<f32>(weight + i) * decay - (m / (sqrt<f32>(v) / root + eps)) * stepSize);
  }
}
