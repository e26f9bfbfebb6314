import type { ConfigReader } from '../../models/config-reader';

/**
 * The forward process of a checkpoint: how much of the signal is left at each training timestep, rounded to float32
 * where diffusers' tensors are float32.
 *
 * Notation: β_t = betas[t], α_t = 1 − β_t, ᾱ_t = alphasCumprod[t] = Π α; x_t = √ᾱ_t · x_0 + √(1 − ᾱ_t) · noise.
 */
export interface NoiseSchedule {
  readonly numTrainTimesteps: number;
  readonly betaStart: number;
  readonly betaEnd: number;
  readonly betaSchedule: BetaSchedule;
  /** Given betas; they replace the schedule of start and end. */
  readonly trainedBetas: readonly number[] | null;
  /** Shifts ᾱ so that nothing of the signal is left at the last timestep (arXiv 2305.08891, algorithm 1). */
  readonly rescaleBetasZeroSnr: boolean;
}

const BETA_SCHEDULES = ['linear', 'scaled_linear', 'squaredcos_cap_v2'] as const;
export type BetaSchedule = (typeof BETA_SCHEDULES)[number];

const { fround } = Math;

/** The fields that every scheduler_config.json has, with diffusers' defaults. */
export function parseNoiseSchedule(reader: ConfigReader): NoiseSchedule {
  const numTrainTimesteps = reader.integer('num_train_timesteps', 1000, 2, 100_000);
  const trainedBetas = reader.raw('trained_betas');
  if (trainedBetas !== undefined && !isListOfBetas(trainedBetas, numTrainTimesteps)) {
    reader.refuse('trained_betas', `null, or a list of ${numTrainTimesteps} numbers between 0 and 1`);
  }
  return {
    numTrainTimesteps,
    betaStart: reader.number('beta_start', 0.0001),
    betaEnd: reader.number('beta_end', 0.02),
    betaSchedule: reader.oneOf('beta_schedule', BETA_SCHEDULES, 'linear'),
    trainedBetas: trainedBetas ?? null,
    rescaleBetasZeroSnr: reader.boolean('rescale_betas_zero_snr', false),
  };
}

function isListOfBetas(value: unknown, length: number): value is number[] {
  return Array.isArray(value) && value.length === length && value.every((beta) => beta >= 0 && beta < 1);
}

/** ᾱ_t for t = 0 … numTrainTimesteps − 1. */
export function alphasCumprod(schedule: NoiseSchedule): Float32Array {
  const cumulative = cumulativeProduct(betas(schedule).map((beta) => 1 - beta));
  return schedule.rescaleBetasZeroSnr ? withZeroTerminalSnr(cumulative) : cumulative;
}

function betas({
  numTrainTimesteps,
  betaStart,
  betaEnd,
  betaSchedule,
  trainedBetas,
}: NoiseSchedule): Float32Array {
  if (trainedBetas) return Float32Array.from(trainedBetas);
  switch (betaSchedule) {
    case 'linear':
      return linspaceFloat32(betaStart, betaEnd, numTrainTimesteps);
    case 'scaled_linear':
      return linspaceFloat32(Math.sqrt(betaStart), Math.sqrt(betaEnd), numTrainTimesteps).map((x) => x * x);
    case 'squaredcos_cap_v2':
      return cosineBetas(numTrainTimesteps);
  }
}

/** Nichol and Dhariwal's cosine schedule (arXiv 2102.09672), each β at most 0.999. */
function cosineBetas(count: number): Float32Array {
  const alphaBar = (t: number) => Math.cos((((t + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Float32Array.from({ length: count }, (_, i) =>
    Math.min(1 - alphaBar((i + 1) / count) / alphaBar(i / count), 0.999),
  );
}

/** `torch.linspace(…, dtype=float32)`: from both ends to the middle. */
function linspaceFloat32(start: number, end: number, count: number): Float32Array {
  const first = fround(start);
  const last = fround(end);
  const step = fround(fround(last - first) / (count - 1));
  return Float32Array.from({ length: count }, (_, i) =>
    i < count / 2 ? first + fround(step * i) : last - fround(step * (count - 1 - i)),
  );
}

/** `torch.cumprod` of float32 accumulates in double on the CPU and rounds each result. */
function cumulativeProduct(factors: Float32Array): Float32Array {
  let product = 1;
  return factors.map((factor) => {
    product *= factor;
    return product;
  });
}

function withZeroTerminalSnr(cumulative: Float32Array): Float32Array {
  const roots = cumulative.map(Math.sqrt);
  const first = roots[0]!;
  const last = roots.at(-1)!;
  const scale = fround(first / fround(first - last));
  const squares = roots.map((root) => fround(fround(root - last) * scale) ** 2);
  // diffusers goes back to betas and multiplies them up again; the rounding of that detour is kept.
  const alphas = squares.map((square, t) => (t === 0 ? square : fround(square / squares[t - 1]!)));
  return cumulativeProduct(alphas.map((alpha) => 1 - fround(1 - alpha)));
}
