/**
 * Which of the training timesteps are visited, from noisy to clean: table 2 of arXiv 2305.08891, with numpy's rounding
 * (half to even), since a timestep off by one is another point of the schedule.
 */
export const TIMESTEP_SPACINGS = ['linspace', 'leading', 'trailing'] as const;
export type TimestepSpacing = (typeof TIMESTEP_SPACINGS)[number];

/** 0 … last in `count` equal parts, from the end: `np.linspace(0, last, count).round()[::-1]`. */
export function linspaceTimesteps(last: number, count: number): number[] {
  const step = count > 1 ? last / (count - 1) : 0;
  return Array.from({ length: count }, (_, i) => roundHalfToEven(i * step)).reverse();
}

/** Whole strides from 0, moved up by the offset: `(np.arange(0, count) * stride)[::-1] + offset`. */
export function leadingTimesteps(stride: number, count: number, offset: number): number[] {
  return Array.from({ length: count }, (_, i) => i * stride + offset).reverse();
}

/**
 * Fractional strides down from the end: `np.round(np.arange(end, 0, -stride)) - 1`.
 *
 * For some counts (61 of 1000) numpy's rounding leaves a last point just above 0, timestep −1, which diffusers reads as
 * the noisiest one; it is left out here.
 */
export function trailingTimesteps(end: number, stride: number): number[] {
  const delta = end - (end - stride); // as numpy has it, rounding included
  return Array.from(
    { length: Math.ceil(end / stride) },
    (_, i) => roundHalfToEven(end - i * delta) - 1,
  ).filter((t) => t >= 0);
}

export function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  const fraction = value - below;
  if (fraction !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
