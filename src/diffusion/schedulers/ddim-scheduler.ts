import { ancestralTimesteps } from './ddpm-scheduler';
import { alphasCumprod } from './noise-schedule';
import { predictedNoise, predictedX0, type Scheduler, type StepCoefficients } from './scheduler';
import {
  type CommonSchedulerConfig,
  parseClipRange,
  parseCommonConfig,
  schedulerReader,
} from './scheduler-config';

export interface DDIMSchedulerConfig extends CommonSchedulerConfig {
  readonly clipRange: number | null;
  /** Whether the last step ends at ᾱ = 1 or at that of timestep 0. */
  readonly setAlphaToOne: boolean;
}

/**
 * Denoising diffusion implicit models (arXiv 2010.02502) with η = 0: formula (12) without its noise term, so that a
 * seed's starting noise decides everything.
 *
 * Source: diffusers, schedulers/scheduling_ddim.py.
 */
export class DDIMScheduler implements Scheduler {
  readonly initNoiseSigma = 1;
  readonly #config: DDIMSchedulerConfig;
  readonly #alphasCumprod: Float32Array;
  #timesteps: readonly number[] = [];
  #stride = 0;

  constructor(config: DDIMSchedulerConfig) {
    this.#config = config;
    this.#alphasCumprod = alphasCumprod(config.noise);
  }

  /** @throws InvalidConfigError naming the field that is not supported. */
  static fromConfig(json: unknown): DDIMScheduler {
    const reader = schedulerReader(json, 'DDIMScheduler');
    return new DDIMScheduler({
      ...parseCommonConfig(reader, 'leading'),
      clipRange: parseClipRange(reader),
      setAlphaToOne: reader.boolean('set_alpha_to_one', true),
    });
  }

  get timesteps(): readonly number[] {
    return this.#timesteps;
  }

  setTimesteps(steps: number): void {
    this.#timesteps = ancestralTimesteps(this.#config, steps);
    this.#stride = Math.floor(this.#config.noise.numTrainTimesteps / steps);
  }

  coefficients(stepIndex: number): StepCoefficients {
    const t = this.#timesteps[stepIndex]!;
    // diffusers steps back by the whole stride, whatever timestep is visited next.
    const previous = t - this.#stride;

    // 1. The cumulative products at t and one stride below.
    const alphaProd = this.#alphasCumprod[t]!;
    const alphaProdPrevious = previous >= 0 ? this.#alphasCumprod[previous]! : this.#finalAlpha();
    const signal = Math.sqrt(alphaProd);
    const noise = Math.sqrt(1 - alphaProd);

    // 2. "predicted x_0" and "direction pointing to x_t" of formula (12).
    const x0 = predictedX0(this.#config.predictionType, signal, noise);
    const epsilon = predictedNoise(this.#config.predictionType, signal, noise);
    const direction = Math.sqrt(1 - alphaProdPrevious);
    return {
      x0FromSample: x0.sample,
      x0FromOutput: x0.output,
      clipRange: this.#config.clipRange,
      fromX0: Math.sqrt(alphaProdPrevious),
      fromSample: direction * epsilon.sample,
      fromOutput: direction * epsilon.output,
      fromPreviousX0: 0,
      fromNoise: 0,
    };
  }

  #finalAlpha(): number {
    return this.#config.setAlphaToOne ? 1 : this.#alphasCumprod[0]!;
  }
}
