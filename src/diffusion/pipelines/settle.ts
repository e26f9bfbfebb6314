import * as tf from '@tensorflow/tfjs-core';
import { JobCancelledError, NonFiniteError } from '../../common/errors';

/**
 * Waits until `tensor` has been computed, lets messages in (a cancellation is one), and checks every value: one number
 * is read back, not the tensor.
 *
 * @param what was being computed, for the error: "The text encoder"
 * @throws NonFiniteError, JobCancelledError
 */
export async function settle(
  tensor: tf.Tensor,
  what: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  await beginCheck(tensor, what);
  await letMessagesIn(signal);
}

/**
 * Begins the check of `settle` behind what is computed already: a GPU has more to do while its answer is under way.
 *
 * @returns ends when the tensor has been computed; it may be disposed before
 * @throws NonFiniteError
 */
export async function beginCheck(tensor: tf.Tensor, what: string): Promise<void> {
  const probe = finiteProbe(tensor);
  try {
    const [sum] = await probe.data();
    if (sum !== 0) throw nonFinite(what);
  } finally {
    probe.dispose();
  }
}

/** A turn for messages that came meanwhile. @throws JobCancelledError when one was a cancellation */
export async function letMessagesIn(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  throwIfCancelled(signal);
}

/** Zero where every value is finite: NaN and infinity times zero are NaN, and NaN stays through a sum. */
export function finiteProbe(tensor: tf.Tensor): tf.Scalar {
  return tf.tidy(() => tf.sum<tf.Scalar>(tf.mul(tensor, 0)));
}

/** @throws JobCancelledError */
export function throwIfCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new JobCancelledError('The job was cancelled.');
}

/** @throws NonFiniteError */
export function checkFinite(values: Float32Array, what: string): void {
  if (!values.every(Number.isFinite)) throw nonFinite(what);
}

function nonFinite(what: string): NonFiniteError {
  return new NonFiniteError(
    `${what} gave NaN or infinity where finite numbers were expected. Lower the guidance, try another seed, or choose the other backend; if it comes back, the checkpoint is damaged.`,
  );
}
