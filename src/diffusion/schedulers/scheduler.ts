/**
 * A scheduler is a table of numbers: which timesteps are visited, and by which linear combination a step leads from
 * x_t to x_{t−1}. It touches no tensor; `SchedulerRun` applies the table on the backend.
 */
export interface Scheduler {
  /** Visited timesteps, noisy first; empty before `setTimesteps`. */
  readonly timesteps: readonly number[];
  /** Standard deviation that the starting noise must have. */
  readonly initNoiseSigma: number;

  /**
   * Spaces `steps` timesteps.
   * @throws InvalidInputError when that many steps do not fit the training schedule.
   */
  setTimesteps(steps: number): void;

  /** The numbers of one step; `stepIndex` counts from 0 at the noisy end. */
  coefficients(stepIndex: number): StepCoefficients;
}

/**
 * One step:
 *
 *     x0       = clip(x0FromSample · sample + x0FromOutput · output)
 *     previous = fromX0 · x0 + fromSample · sample + fromOutput · output + fromPreviousX0 · x0 of the step before
 *                + fromNoise · noise
 */
export interface StepCoefficients {
  readonly x0FromSample: number;
  readonly x0FromOutput: number;
  /** x0 is clipped to ±clipRange; null: it is not. */
  readonly clipRange: number | null;
  readonly fromX0: number;
  readonly fromSample: number;
  readonly fromOutput: number;
  readonly fromPreviousX0: number;
  readonly fromNoise: number;
}

export const PREDICTION_TYPES = ['epsilon', 'v_prediction', 'sample'] as const;
/** What the model predicts: the noise, the velocity v = √ᾱ · noise − √(1 − ᾱ) · x_0, or x_0. */
export type PredictionType = (typeof PREDICTION_TYPES)[number];

/** A quantity as a linear combination of the sample x_t and the model's output. */
export interface Combination {
  readonly sample: number;
  readonly output: number;
}

/** The predicted x_0, where x_t = signal · x_0 + noise · ε. */
export function predictedX0(type: PredictionType, signal: number, noise: number): Combination {
  switch (type) {
    case 'epsilon':
      return { sample: 1 / signal, output: -noise / signal };
    case 'v_prediction':
      return { sample: signal, output: -noise };
    case 'sample':
      return { sample: 0, output: 1 };
  }
}

/** The predicted noise ε, where x_t = signal · x_0 + noise · ε. */
export function predictedNoise(type: PredictionType, signal: number, noise: number): Combination {
  switch (type) {
    case 'epsilon':
      return { sample: 0, output: 1 };
    case 'v_prediction':
      return { sample: noise, output: signal };
    case 'sample':
      return { sample: 1 / noise, output: -signal / noise };
  }
}
