import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startBackend } from '../../testing';

beforeAll(() => startBackend('webgpu'));
afterEach(() => vi.restoreAllMocks());

it('uploads a number once, and keeps it right after one of its tensors has gone', async () => {
  const backend = tf.backend() as WebGPUBackend;
  const x = tf.tensor1d([1, 2, 3]);
  backend.uploadToGPU(x.dataId); // else tfjs would calculate so few values itself
  const made = vi.spyOn(backend.device, 'createBuffer');
  const products = Array.from({ length: 20 }, () => tf.mul(x, 0.37));
  const [first, ...others] = products as [tf.Tensor, ...tf.Tensor[]];
  first.dispose();
  const numbers = made.mock.calls.filter(([{ size }]) => size === 4);
  expect(numbers).toHaveLength(1);
  const sums = [
    tf.add(others[0]!, 0.37),
    tf.add(others[1]!, -0.37),
    tf.add(others[2]!, tf.scalar(2, 'int32')),
  ];
  const expected = [0.37, -0.37, 2].map((shift) => [1, 2, 3].map((value) => 0.37 * value + shift));
  for (const [i, sum] of sums.entries()) {
    for (const [j, value] of (await sum.data()).entries()) expect(value).toBeCloseTo(expected[i]![j]!, 6);
  }
  expect([...(await tf.scalar(0.37).data())][0]).toBeCloseTo(0.37, 7);
  tf.dispose([x, others, sums]);
});

it('tells numbers apart by their bits and their types', async () => {
  const x = tf.tensor1d([1]);
  (tf.backend() as WebGPUBackend).uploadToGPU(x.dataId);
  const over = async (y: tf.Scalar): Promise<number> => (await tf.div(x, y).data())[0]!;
  expect(await over(tf.scalar(0))).toBe(Infinity);
  expect(await over(tf.scalar(-0))).toBe(-Infinity);
  // The bits of the integer 1 are those of the float 1.4e-45.
  expect(await over(tf.cast(tf.scalar(1, 'int32'), 'float32') as tf.Scalar)).toBe(1);
  expect((await tf.mul(x, tf.scalar(1)).data())[0]).toBe(1);
});
