// Not through src/testing, which registers gradients for every other test: the worker has to have them by itself.
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import './preference-trainer';

it('the trainer brings the gradients that it needs', async () => {
  expect(await tf.setBackend('wasm')).toBe(true);
  const gradient = tf.grad((x) => tf.mean(tf.squaredDifference(x, 1)))(tf.tensor1d([2, 3]));
  expect([...(await gradient.data())]).toEqual([1, 2]);
});
