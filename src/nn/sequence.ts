import * as tf from '@tensorflow/tfjs-core';

/**
 * Applies layers one after another and disposes each intermediate as soon as the next one is there, so that two
 * activations live at a time, not all of them. The input stays the caller's.
 *
 * Safe under a gradient tape: what a gradient needs the tape keeps by itself.
 *
 * @param afterLayer called when a layer's result is there and its input is gone; where memory is short, the moment to
 *   give idle buffers back
 */
export function runInSequence<T extends tf.Tensor>(
  input: T,
  layers: readonly { forward(x: T): T }[],
  afterLayer?: () => void,
): T {
  let x = input;
  for (const layer of layers) {
    const next = tf.tidy(() => layer.forward(x));
    if (x !== input) x.dispose();
    x = next;
    afterLayer?.();
  }
  return x;
}
