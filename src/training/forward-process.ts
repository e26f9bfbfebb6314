import * as tf from '@tensorflow/tfjs-core';
import { InvalidInputError } from '../common/errors';
import { alphasCumprod } from '../diffusion/schedulers/noise-schedule';
import type { PredictionType } from '../diffusion/schedulers/scheduler';
import { parseCommonConfig, schedulerReader } from '../diffusion/schedulers/scheduler-config';

/**
 * The process that a checkpoint was trained to reverse: x_t = √ᾱ_t · x_0 + √(1 − ᾱ_t) · noise, and what the network
 * should predict of it (`add_noise` and `get_velocity` of diffusers' DDPMScheduler).
 */
export class ForwardProcess {
  readonly predictionType: PredictionType;
  readonly #alphasCumprod: Float32Array;

  /**
   * @param schedulerConfig scheduler_config.json
   * @throws InvalidConfigError when it is of a process that is not this one
   */
  constructor(schedulerConfig: unknown) {
    const config = parseCommonConfig(schedulerReader(schedulerConfig, 'DDPMScheduler'), 'leading');
    this.predictionType = config.predictionType;
    this.#alphasCumprod = alphasCumprod(config.noise);
  }

  /** Timesteps are 0 … numTrainTimesteps − 1. */
  get numTrainTimesteps(): number {
    return this.#alphasCumprod.length;
  }

  /**
   * @param clean [B, H, W, C]
   * @param noise [B, H, W, C]
   * @param timesteps one for each sample
   * @returns x_t, [B, H, W, C]
   */
  addNoise(clean: tf.Tensor4D, noise: tf.Tensor4D, timesteps: readonly number[]): tf.Tensor4D {
    return tf.tidy(() => {
      const { signal, deviation } = this.#scales(timesteps);
      return tf.add<tf.Tensor4D>(tf.mul(signal, clean), tf.mul(deviation, noise));
    });
  }

  /** What the network should answer for `addNoise`'s result: v, the noise, or x_0. @returns [B, H, W, C] */
  target(clean: tf.Tensor4D, noise: tf.Tensor4D, timesteps: readonly number[]): tf.Tensor4D {
    if (this.predictionType === 'epsilon') return tf.clone(noise);
    if (this.predictionType === 'sample') return tf.clone(clean);
    return tf.tidy(() => {
      const { signal, deviation } = this.#scales(timesteps);
      return tf.sub<tf.Tensor4D>(tf.mul(signal, noise), tf.mul(deviation, clean));
    });
  }

  /** √ᾱ_t and √(1 − ᾱ_t), each [B, 1, 1, 1]. */
  #scales(timesteps: readonly number[]): { signal: tf.Tensor4D; deviation: tf.Tensor4D } {
    const alphas = timesteps.map((timestep) => {
      const alpha = this.#alphasCumprod[timestep];
      if (alpha !== undefined) return alpha;
      throw new InvalidInputError(
        `A timestep is an integer from 0 to ${this.numTrainTimesteps - 1}, but ${timestep} came.`,
      );
    });
    const column = (values: readonly number[]): tf.Tensor4D =>
      tf.tensor4d([...values], [values.length, 1, 1, 1]);
    return {
      signal: column(alphas.map(Math.sqrt)),
      deviation: column(alphas.map((alpha) => Math.sqrt(1 - alpha))),
    };
  }
}
