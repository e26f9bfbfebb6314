import { multiplyAdd, siluDerivative, splat, sumOf } from './math';
import { groupStatistics, joinGroups, UNIT_ROWS } from './norms';

/**
 * The gradient of `groupNorm`, [B, P, C], and of its weight and bias for each item: n the normalised x and g = dy (times
 * the slope of SiLU), the sums of g n and of g over positions; dx is (w g - mean(w g) - n mean(w g n)) / deviation.
 *
 * args: x, weight, bias, dy, dx, sums [B, 2, C], P, C, group width, span (as `groupNorm`), silu (0 or 1), eps. Units: B * C / span.
 */
export function groupNormGradient(args: usize, unit: i32, scratch: usize): void {
  const positions = load<i32>(args, 24);
  const width = load<i32>(args, 32);
  const span = load<i32>(args, 36);
  const rowBytes = (<usize>load<i32>(args, 28)) << 2;
  const begin = ((<usize>(unit * span)) << 2) % rowBytes;
  const item = <usize>(unit / (load<i32>(args, 28) / span));
  const offset = item * (<usize>positions) * rowBytes + begin;
  const x = load<usize>(args, 0) + offset;
  const dy = load<usize>(args, 12) + offset;
  const dx = load<usize>(args, 16) + offset;
  const sums = load<usize>(args, 20) + item * 2 * rowBytes + begin;
  const weight = load<usize>(args, 4) + begin;
  const bias = load<usize>(args, 8) + begin;
  const withSilu = load<i32>(args, 40) != 0;
  const bytes = (<usize>span) << 2;
  const means = scratch;
  const inverses = scratch + bytes;
  const meanSlopes = scratch + 2 * bytes;
  const meanProducts = scratch + 3 * bytes;
  const eps = splat(load<f32>(args, 44));
  groupStatistics(x, positions, rowBytes, width, span, means, inverses);
  for (let at: usize = 0; at < bytes; at += 16) {
    v128.store(inverses + at, f32x4.div(splat(1), f32x4.sqrt(f32x4.add(v128.load(inverses + at), eps))));
  }

  for (let at: usize = 0; at < bytes; at += 16) {
    const mean = v128.load(means + at);
    const inverse = v128.load(inverses + at);
    const scale = v128.load(weight + at);
    const shift = v128.load(bias + at);
    let slopes = splat(0);
    let products = splat(0);
    let place = at;
    for (let p = 0; p < positions; p += 1) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + place), mean), inverse);
      let slope = v128.load(dy + place);
      if (withSilu) {
        slope = f32x4.mul(slope, siluDerivative(multiplyAdd(normal, scale, shift)));
        v128.store(dx + place, slope); // for the last pass
      }
      slopes = f32x4.add(slopes, slope);
      products = multiplyAdd(slope, normal, products);
      place += rowBytes;
    }
    v128.store(sums + at, products);
    v128.store(sums + at + rowBytes, slopes);
    v128.store(meanSlopes + at, f32x4.mul(slopes, scale));
    v128.store(meanProducts + at, f32x4.mul(products, scale));
  }
  joinGroups(meanSlopes, width, span, positions);
  joinGroups(meanProducts, width, span, positions);

  const slopesAt = withSilu ? dx : dy;
  for (let at: usize = 0; at < bytes; at += 16) {
    const mean = v128.load(means + at);
    const inverse = v128.load(inverses + at);
    const scale = v128.load(weight + at);
    const meanSlope = v128.load(meanSlopes + at);
    const meanProduct = v128.load(meanProducts + at);
    let place = at;
    for (let p = 0; p < positions; p += 1) {
      const normal = f32x4.mul(f32x4.sub(v128.load(x + place), mean), inverse);
      const across = f32x4.sub(f32x4.mul(v128.load(slopesAt + place), scale), meanSlope);
      v128.store(dx + place, f32x4.mul(f32x4.sub(across, f32x4.mul(normal, meanProduct)), inverse));
      place += rowBytes;
    }
  }
}

/**
 * The gradient of `rowNorm`: (w dy - mean(w dy) - n mean(w dy n)) / deviation, n the normalised x; without the first mean
 * of an RMS norm.
 *
 * args: x, weight, dy, dx, rows, width, centre (0: RMS norm), eps. Units: blocks of 16 rows.
 */
export function rowNormGradient(args: usize, unit: i32): void {
  const weight = load<usize>(args, 4);
  const width = load<i32>(args, 20);
  const centre = load<i32>(args, 24) != 0;
  const eps = load<f32>(args, 28);
  const bytes = (<usize>width) << 2;
  const begin = unit * UNIT_ROWS;
  const end = min(load<i32>(args, 16), begin + UNIT_ROWS);
  for (let row = begin; row < end; row += 1) {
    const x = load<usize>(args, 0) + (<usize>row) * bytes;
    const dy = load<usize>(args, 8) + (<usize>row) * bytes;
    const dx = load<usize>(args, 12) + (<usize>row) * bytes;
    let mean = splat(0);
    if (centre) {
      let sum = splat(0);
      for (let i: usize = 0; i < bytes; i += 16) sum = f32x4.add(sum, v128.load(x + i));
      mean = splat(sumOf(sum) / <f32>width);
    }
    let squares = splat(0);
    let slopes = splat(0);
    let products = splat(0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const d = f32x4.sub(v128.load(x + i), mean);
      const slope = f32x4.mul(v128.load(dy + i), v128.load(weight + i));
      squares = multiplyAdd(d, d, squares);
      slopes = f32x4.add(slopes, slope);
      products = multiplyAdd(slope, d, products);
    }
    const inverse = <f32>1 / sqrt<f32>(sumOf(squares) / <f32>width + eps);
    const meanSlope = centre ? splat(sumOf(slopes) / <f32>width) : splat(0);
    // Of d, not of n: the deviation's second factor is in it.
    const meanProduct = splat((sumOf(products) / <f32>width) * inverse * inverse);
    const factor = splat(inverse);
    for (let i: usize = 0; i < bytes; i += 16) {
      const d = f32x4.sub(v128.load(x + i), mean);
      const slope = f32x4.mul(v128.load(dy + i), v128.load(weight + i));
      const across = f32x4.sub(f32x4.sub(slope, meanSlope), f32x4.mul(d, meanProduct));
      v128.store(dx + i, f32x4.mul(across, factor));
    }
  }
}
