import type { ConfigReader } from '../../models/config-reader';
import { alphasCumprod } from './noise-schedule';
import { predictedX0, type Scheduler, type StepCoefficients } from './scheduler';
import {
  type CommonSchedulerConfig,
  checkSteps,
  checkTrained,
  parseClipRange,
  parseCommonConfig,
  schedulerReader,
} from './scheduler-config';
import { leadingTimesteps, linspaceTimesteps, trailingTimesteps } from './timestep-spacing';

export interface DDPMSchedulerConfig extends CommonSchedulerConfig {
  readonly clipRange: number | null;
  readonly varianceType: 'fixed_small' | 'fixed_large';
}

/**
 * Ancestral sampling (arXiv 2006.11239): each step draws from the posterior q(x_{t−1} | x_t, x_0), so it adds noise,
 * which the run takes from the generator of the seed. Tango's own sampler, with 200 steps.
 *
 * Source: diffusers, schedulers/scheduling_ddpm.py.
 */
export class DDPMScheduler implements Scheduler {
  readonly initNoiseSigma = 1;
  readonly #config: DDPMSchedulerConfig;
  readonly #alphasCumprod: Float32Array;
  #timesteps: readonly number[] = [];

  constructor(config: DDPMSchedulerConfig) {
    this.#config = config;
    this.#alphasCumprod = alphasCumprod(config.noise);
  }

  /** @throws InvalidConfigError naming the field that is not supported. */
  static fromConfig(json: unknown): DDPMScheduler {
    const reader = schedulerReader(json, 'DDPMScheduler');
    return new DDPMScheduler({
      ...parseCommonConfig(reader, 'leading'),
      clipRange: parseClipRange(reader),
      varianceType: parseVarianceType(reader),
    });
  }

  get timesteps(): readonly number[] {
    return this.#timesteps;
  }

  setTimesteps(steps: number): void {
    this.#timesteps = ancestralTimesteps(this.#config, steps);
  }

  coefficients(stepIndex: number): StepCoefficients {
    const t = this.#timesteps[stepIndex]!;
    const previous = this.#timesteps[stepIndex + 1];

    // 1. The cumulative products at t and at the next visited timestep.
    const alphaProd = this.#alphasCumprod[t]!;
    const alphaProdPrevious = previous === undefined ? 1 : this.#alphasCumprod[previous]!;
    const betaProd = 1 - alphaProd;
    const betaProdPrevious = 1 - alphaProdPrevious;
    // In float32 as in diffusers: β is what a quotient near one lacks, and so takes over its rounding.
    const alpha = Math.fround(alphaProd / alphaProdPrevious);
    const beta = 1 - alpha;

    // 2. The mean of the posterior, formula (7).
    const x0 = predictedX0(this.#config.predictionType, Math.sqrt(alphaProd), Math.sqrt(betaProd));
    const fromX0 = (Math.sqrt(alphaProdPrevious) * beta) / betaProd;
    const fromSample = (Math.sqrt(alpha) * betaProdPrevious) / betaProd;

    // 3. Its variance: formula (7), or the upper bound β.
    const small = Math.max((betaProdPrevious / betaProd) * beta, 1e-20);
    const variance = this.#config.varianceType === 'fixed_large' ? beta : small;
    return {
      x0FromSample: x0.sample,
      x0FromOutput: x0.output,
      clipRange: this.#config.clipRange,
      fromX0,
      fromSample,
      fromOutput: 0,
      fromPreviousX0: 0,
      // Leading spacing with an offset ends at t = 1, so noise is added by the last step too.
      fromNoise: t > 0 ? Math.sqrt(variance) : 0,
    };
  }
}

/** The timesteps of DDPM and DDIM. @throws InvalidInputError */
export function ancestralTimesteps(config: CommonSchedulerConfig, steps: number): number[] {
  const { numTrainTimesteps } = config.noise;
  checkSteps(steps, numTrainTimesteps);
  const timesteps = spacedTimesteps(config, numTrainTimesteps, steps);
  checkTrained(timesteps, numTrainTimesteps);
  return timesteps;
}

function spacedTimesteps(config: CommonSchedulerConfig, numTrainTimesteps: number, steps: number): number[] {
  switch (config.timestepSpacing) {
    case 'linspace':
      return linspaceTimesteps(numTrainTimesteps - 1, steps);
    case 'leading':
      return leadingTimesteps(Math.floor(numTrainTimesteps / steps), steps, config.stepsOffset);
    case 'trailing':
      return trailingTimesteps(numTrainTimesteps, numTrainTimesteps / steps);
  }
}

function parseVarianceType(reader: ConfigReader): DDPMSchedulerConfig['varianceType'] {
  const type = reader.oneOf(
    'variance_type',
    ['fixed_small', 'fixed_small_log', 'fixed_large'],
    'fixed_small',
  );
  // The "log" form takes the logarithm and the exponential of the same number.
  return type === 'fixed_large' ? 'fixed_large' : 'fixed_small';
}
