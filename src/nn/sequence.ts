import * as tf from '@tensorflow/tfjs-core';

/**
 * Applies layers one after another and disposes each intermediate as soon as the next one is there, so that two
 * activations live at a time, not all of them. The input stays the caller's.
 *
 * Safe under a gradient tape: what a gradient needs the tape keeps by itself.
 */
export function runInSequence<T extends tf.Tensor>(input: T, layers: readonly { forward(x: T): T }[]): T {
  let x = input;
  for (const layer of layers) {
    const next = tf.tidy(() => layer.forward(x));
    if (x !== input) x.dispose();
    x = next;
  }
  return x;
}
