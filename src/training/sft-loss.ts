import * as tf from '@tensorflow/tfjs-core';

/**
 * Each sample's error: the mean over its elements of (prediction − target)². The released Tango 2 takes the mean, not
 * the sum of eq. 17 of the paper.
 *
 * @param prediction [B, H, W, C]
 * @param target [B, H, W, C]
 * @returns [B]
 */
export function sampleErrors(prediction: tf.Tensor, target: tf.Tensor): tf.Tensor1D {
  return tf.tidy(() => meanOfElements(tf.squaredDifference(prediction, target)));
}

/**
 * Supervised fine-tuning on winners (the first epoch of Tango 2's training): the mean of the samples' errors.
 *
 * @param errors [B], from `sampleErrors`
 */
export function sftLoss(errors: tf.Tensor1D): tf.Scalar {
  return tf.mean(errors);
}

/** [B, ...] -> [B] */
export function meanOfElements(x: tf.Tensor): tf.Tensor1D {
  const batch = x.shape[0] ?? 1;
  return tf.mean(tf.reshape(x, [batch, x.size / batch]), 1);
}
