import * as tf from '@tensorflow/tfjs-core';
import type { TorchGenerator } from '../../common/random';
import { nchwToNhwc } from '../tensor-layout';
import type { Scheduler } from './scheduler';

/**
 * One walk down a scheduler's timesteps. Tensors stay on the backend: a step is a few multiply-adds, and noise is the
 * only thing that is uploaded.
 */
export class SchedulerRun {
  readonly #scheduler: Scheduler;
  readonly #generator: TorchGenerator;
  #previousX0: tf.Tensor4D | null = null;

  /** @param generator of the take; the starting noise must have been drawn from it, as in diffusers' pipelines */
  constructor(scheduler: Scheduler, generator: TorchGenerator) {
    this.#scheduler = scheduler;
    this.#generator = generator;
  }

  /** x_0 as the last step predicted it; null before the first. It belongs to the run. */
  get predictedX0(): tf.Tensor4D | null {
    return this.#previousX0;
  }

  /**
   * @param output what the model predicted for `sample` at `timesteps[stepIndex]` // [1, H, W, C]
   * @param sample x_t // [1, H, W, C]
   * @returns x_{t−1}; neither argument is disposed
   */
  step(output: tf.Tensor4D, stepIndex: number, sample: tf.Tensor4D): tf.Tensor4D {
    const c = this.#scheduler.coefficients(stepIndex);
    const [x0, previous] = tf.tidy(() => {
      const unclipped = weightedSum([
        [c.x0FromSample, sample],
        [c.x0FromOutput, output],
      ]);
      const x0 = c.clipRange === null ? unclipped : tf.clipByValue(unclipped, -c.clipRange, c.clipRange);
      const previous = weightedSum([
        [c.fromX0, x0],
        [c.fromSample, sample],
        [c.fromOutput, output],
        [c.fromPreviousX0, this.#previousX0],
        [c.fromNoise, c.fromNoise === 0 ? null : this.#noiseLike(sample)],
      ]);
      return [x0, previous];
    });
    this.#previousX0?.dispose();
    // Kept: the caller may be in a tidy of its own.
    this.#previousX0 = tf.keep(x0);
    return previous;
  }

  dispose(): void {
    this.#previousX0?.dispose();
    this.#previousX0 = null;
  }

  /** Drawn in PyTorch's order, [1, C, H, W]. */
  #noiseLike(sample: tf.Tensor4D): tf.Tensor4D {
    const [batch, height, width, channels] = sample.shape;
    const noise = this.#generator.randn(sample.size);
    return nchwToNhwc({ data: noise, shape: [batch, channels, height, width] });
  }
}

/** Σ weight · tensor over the terms whose weight is not zero; there is at least one. */
function weightedSum(terms: readonly (readonly [number, tf.Tensor4D | null])[]): tf.Tensor4D {
  return terms
    .flatMap(([weight, tensor]) =>
      weight === 0 || tensor === null ? [] : [tf.mul<tf.Tensor4D>(tensor, weight)],
    )
    .reduce((sum, term) => tf.add(sum, term));
}
