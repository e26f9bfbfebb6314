import * as tf from '@tensorflow/tfjs-core';
import { meanOfElements, sampleErrors } from './sft-loss';

/** One half of a batch of pairs, all winners or all losers: what was predicted at one noise level, [B, H, W, C] each. */
export interface PredictedHalf {
  /** Of the model that is trained. */
  readonly prediction: tf.Tensor;
  /** Of the frozen reference, for the same noisy latents; or its errors, computed before. */
  readonly reference: tf.Tensor | KnownErrors;
  readonly target: tf.Tensor;
}

/**
 * A sample's error as two float32 numbers whose sum it is: one alone ends at 1.2e-7 of an error of one, which β makes
 * 1e-4 of the sigmoid's argument.
 */
export type KnownErrors = {
  readonly mean: tf.Tensor1D; // [B], as `sampleErrors` gives it
  readonly rest: tf.Tensor1D; // [B], what the mean's rounding left
};

/** The error of each sample, to be kept in place of the prediction. @returns tensors that the caller disposes */
export function knownErrors(prediction: tf.Tensor, target: tf.Tensor): KnownErrors {
  return tf.tidy(() => {
    const mean = sampleErrors(prediction, target);
    return { mean, rest: errorAbove(prediction, target, mean) };
  });
}

/**
 * The mean of (prediction − target)² − level: its terms lie around 0, so that their sum keeps digits that the mean of the
 * squares has no room for.
 */
function errorAbove(prediction: tf.Tensor, target: tf.Tensor, level: tf.Tensor1D): tf.Tensor1D {
  const [batch = 1] = prediction.shape;
  const levels = tf.reshape(level, [batch, ...prediction.shape.slice(1).map(() => 1)]);
  return meanInRuns(tf.sub(tf.squaredDifference(prediction, target), levels));
}

/** Elements that are added up one after another. */
const RUN = 32;

/**
 * `meanOfElements` by means of 32, then of their means, and so on: one sum of thousands rounds each addition by the size
 * of all before it, which β makes 1e-5 of a loss.
 */
function meanInRuns(x: tf.Tensor): tf.Tensor1D {
  const [batch = 1] = x.shape;
  let rows = tf.reshape(x, [batch, x.size / batch]);
  for (let size = x.size / batch; size > RUN && size % RUN === 0; size /= RUN) {
    rows = tf.mean(tf.reshape(rows, [batch, size / RUN, RUN]), 2);
  }
  return tf.mean(rows, 1);
}

/**
 * mse − ref_mse of each sample, as the mean of (p − r)(p + r − 2 v); with errors in place of r as `errorAbove` them, to
 * the bit 0 where model and reference agree too.
 *
 * The two errors are of the order of one and differ in their fourth or fifth digit; β multiplies the difference by a
 * thousand. Subtracting them would leave about 5e-4 of float32 noise in the sigmoid's argument; the product keeps the
 * difference's own digits, is exactly 0 where model and reference agree, and has the gradient 2 (p − v) / n as mse has.
 *
 * @returns [B]
 */
export function errorAboveReference({ prediction, reference, target }: PredictedHalf): tf.Tensor1D {
  return tf.tidy(() => {
    if (!(reference instanceof tf.Tensor)) {
      return tf.sub<tf.Tensor1D>(errorAbove(prediction, target, reference.mean), reference.rest);
    }
    const apart = tf.sub(prediction, reference);
    const around = tf.sub(tf.add(prediction, reference), tf.mul(target, 2));
    return meanOfElements(tf.mul(apart, around));
  });
}

/**
 * The implicit reward's margin of each pair, the argument of the sigmoid:
 * −½ β ((mse_w − mse_l) − (ref_w − ref_l)).
 *
 * The scale is that of the released scripts, which take the mean over a sample's elements where eq. 17 of the paper has
 * the sum and the number of timesteps: β = 2000 of Tango 2 is the β = 1000 of diffusers' examples, written without ½.
 *
 * @returns [B]; 0 where the model is its reference
 */
export function rewardMargins(winner: PredictedHalf, loser: PredictedHalf, beta: number): tf.Tensor1D {
  return tf.tidy(() =>
    tf.mul<tf.Tensor1D>(tf.sub(errorAboveReference(winner), errorAboveReference(loser)), -0.5 * beta),
  );
}

/**
 * Diffusion-DPO as released with Tango 2 (eq. 17 of the paper, with the mean over elements): −log σ(margin), mean over
 * pairs. Winner and loser of a pair share prompt, timestep and noise.
 *
 * @param margins [B], from `rewardMargins`
 * @returns a scalar; ln 2 where the model is its reference
 */
export function diffusionDpoLoss(margins: tf.Tensor1D): tf.Scalar {
  return tf.tidy(() => tf.mean<tf.Scalar>(negativeLogSigmoid(margins)));
}

/**
 * −log σ(z) = max(−z, 0) + log(1 + exp(−|z|)), with its own gradient −σ(−z): the composed one is wrong at z = 0, where
 * training begins, since tfjs gives |z| the slope −1 there.
 */
const negativeLogSigmoid = tf.customGrad((z, save) => {
  const margins = z as tf.Tensor1D;
  (save as tf.GradSaveFunc)([margins]);
  const value = tf.tidy(() => tf.add(tf.relu(tf.neg(margins)), tf.log1p(tf.exp(tf.neg(tf.abs(margins))))));
  return {
    value,
    gradFunc: (dy: tf.Tensor, saved: tf.Tensor[]) =>
      tf.tidy(() => tf.neg(tf.mul(dy, tf.sigmoid(tf.neg(saved[0] as tf.Tensor1D))))),
  };
});
