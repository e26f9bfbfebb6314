import { multiplyAdd, siluDerivative, splat, sumOf } from './math';
import { columnSquares, columnSum, UNIT_ROWS } from './norms';

/**
 * The gradient of `groupNorm`, [B, P, C], and of its weight and bias for each item: n the normalised x and g = dy (times
 * the slope of SiLU), the sums of g n and of g over positions; dx is (w g - mean(w g) - n mean(w g n)) / deviation.
 *
 * args: x, weight, bias, dy, dx, sums [B, 2, C], P, C, group width and span, silu (0 or 1), eps. Units: B * C / span.
 */
export function groupNormGradient(args: usize, unit: i32): void {
  const positions = load<i32>(args, 24);
  const channels = load<i32>(args, 28);
  const groupWidth = load<i32>(args, 32);
  const span = load<i32>(args, 36);
  const spans = channels / span;
  const item = unit / spans;
  const first = (unit % spans) * span;
  const rowBytes = (<usize>channels) << 2;
  const start = (<usize>item) * (<usize>positions) * rowBytes;
  const sums = load<usize>(args, 20) + (<usize>item) * 2 * rowBytes;
  for (let group = first; group < first + span; group += groupWidth) {
    differentiateGroup(args, start, sums, group, positions, groupWidth, rowBytes);
  }
}

function differentiateGroup(
  args: usize, start: usize, sums: usize, firstChannel: i32, positions: i32, width: i32, rowBytes: usize,
): void {
  const begin = (<usize>firstChannel) << 2;
  const x = load<usize>(args, 0) + start + begin;
  const dy = load<usize>(args, 12) + start + begin;
  const dx = load<usize>(args, 16) + start + begin;
  const weight = load<usize>(args, 4) + begin;
  const bias = load<usize>(args, 8) + begin;
  const withSilu = load<i32>(args, 40) != 0;
  const count = <f32>(positions * width);

  let sum = splat(0);
  for (let c = 0; c < width; c += 4) sum = f32x4.add(sum, columnSum(x + ((<usize>c) << 2), positions, rowBytes));
  const mean = splat(sumOf(sum) / count);
  let squares = splat(0);
  for (let c = 0; c < width; c += 4) {
    squares = f32x4.add(squares, columnSquares(x + ((<usize>c) << 2), positions, rowBytes, mean));
  }
  const inverse = splat(<f32>1 / sqrt<f32>(sumOf(squares) / count + load<f32>(args, 44)));

  let alongMean = splat(0);
  let alongNormal = splat(0);
  for (let c = 0; c < width; c += 4) {
    const at = (<usize>c) << 2;
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
    v128.store(sums + begin + at, products);
    v128.store(sums + begin + at + rowBytes, slopes);
    alongMean = multiplyAdd(slopes, scale, alongMean);
    alongNormal = multiplyAdd(products, scale, alongNormal);
  }
  const meanSlope = splat(sumOf(alongMean) / count);
  const meanProduct = splat(sumOf(alongNormal) / count);

  const slopesAt = withSilu ? dx : dy;
  for (let c = 0; c < width; c += 4) {
    let place = (<usize>c) << 2;
    const scale = v128.load(weight + place);
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
