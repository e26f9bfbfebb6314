import { InvalidInputError } from '../../common/errors';

/** torch's constant of the cubic convolution. */
const A = -0.75;

/** One of the four samples that each output sample is made of. */
export interface BicubicTap {
  readonly indices: Int32Array; // [to]
  readonly weights: Float32Array; // [to]
}

/**
 * `torch.nn.functional.interpolate(mode="bicubic", align_corners=True)` along one axis, as four taps: the output is
 * the sum over taps of weights · input[indices]. Samples beyond the ends are the end samples.
 *
 * @throws InvalidInputError when there are more samples than the output holds
 */
export function bicubicTaps(from: number, to: number): readonly BicubicTap[] {
  if (from > to || from < 1) {
    throw new InvalidInputError(`CLAP reads 1 to ${to} frames at once, but ${from} came.`);
  }
  const taps = Array.from({ length: 4 }, () => ({
    indices: new Int32Array(to),
    weights: new Float32Array(to),
  }));
  const scale = to > 1 ? (from - 1) / (to - 1) : 0;
  for (let i = 0; i < to; i += 1) {
    const at = i * scale;
    const whole = Math.floor(at);
    const t = at - whole;
    const weights = [outer(t + 1), inner(t), inner(1 - t), outer(2 - t)];
    taps.forEach((tap, k) => {
      tap.indices[i] = Math.min(from - 1, Math.max(0, whole - 1 + k));
      tap.weights[i] = weights[k]!;
    });
  }
  return taps;
}

/** 0 ≤ x ≤ 1 */
function inner(x: number): number {
  return ((A + 2) * x - (A + 3)) * x * x + 1;
}

/** 1 ≤ x ≤ 2 */
function outer(x: number): number {
  return ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;
}
