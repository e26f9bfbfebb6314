import * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { AdamW } from '../training/optimizer/adamw';
import { clipFactor, GradientSum, globalNorm } from '../training/optimizer/gradients';
import { linearSchedule } from '../training/optimizer/linear-schedule';
import type { TrainableWeight } from '../training/trainable-weight';
import type { Fixture } from './fixture';

export interface StepsOptions {
  readonly learningRate: number;
  readonly warmUpSteps: number;
  /** Most that a loss may differ. */
  readonly lossTolerance: number;
}

const MAX_NORM = 0.5;
const STEPS_OF_SCHEDULE = 6;

/**
 * Three clipped steps of AdamW as the fixture's optimiser took them; each loss and each norm before clipping is expected
 * to be the fixture's (`losses`, `norms`).
 */
export async function takeThreeSteps(
  weights: readonly TrainableWeight[],
  gradientsOf: () => { value: tf.Scalar; grads: readonly tf.Tensor[] },
  fixture: Fixture,
  { learningRate, warmUpSteps, lossTolerance }: StepsOptions,
): Promise<void> {
  const optimizer = new AdamW();
  for (let step = 0; step < 3; step += 1) {
    const { value, grads } = gradientsOf();
    const [loss] = await value.data();
    expect(Math.abs(loss! - fixture.values('losses').data[step]!)).toBeLessThan(lossTolerance);
    const sum = new GradientSum();
    sum.add(grads, 1);
    const norm = globalNorm(sum.gradients);
    const [length] = await norm.data();
    expect(Math.abs(length! / fixture.values('norms').data[step]! - 1)).toBeLessThan(1e-3);
    sum.scale(clipFactor(length!, MAX_NORM));
    optimizer.step(weights, sum.take(), learningRate * linearSchedule(step, warmUpSteps, STEPS_OF_SCHEDULE));
    tf.dispose([value, norm]);
  }
  optimizer.dispose();
}
