import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeAll, expect, it, vi } from 'vitest';
import { startBackend } from '../../testing';

beforeAll(() => startBackend('webgpu'));
afterEach(() => vi.restoreAllMocks());

const upload = <T extends tf.Tensor>(x: T): T => {
  (tf.backend() as WebGPUBackend).uploadToGPU(x.dataId);
  return x;
};

it('uploads small tensors without a buffer of their own, in one write a submit', async () => {
  const { device, queue } = tf.backend() as WebGPUBackend;
  const used = upload(tf.tensor1d([7, 8, 9]));
  expect([...(await tf.add(used, used).data())]).toEqual([14, 16, 18]);
  used.dispose();
  const made = vi.spyOn(device, 'createBuffer');
  const written = vi.spyOn(queue, 'writeBuffer');
  const x = upload(tf.tensor1d([1.5, -2, 3]));
  expect(made).not.toHaveBeenCalled();
  expect(written).not.toHaveBeenCalled();
  const [flags, whole] = [upload(tf.tensor1d([true, false, true])), upload(tf.tensor1d([1, -2, 3], 'int32'))];
  const sum = tf.add(tf.add(x, tf.cast(flags, 'float32')), tf.cast(whole, 'float32'));
  expect([...(await sum.data())]).toEqual([3.5, -4, 7]);
  expect(written.mock.calls.filter(([, , , , size]) => size === 36)).toHaveLength(1);
  tf.dispose([x, flags, whole, sum]);
});

it('keeps apart more between two submits than the page holds, and what is larger than it', async () => {
  const length = 20_000; // 80 kB of 256
  const parts = Array.from({ length: 9 }, (_, i) => upload(tf.fill([length], i + 1) as tf.Tensor1D));
  const values = Array.from({ length: 9 }, (_, i) => tf.tensor1d(new Float32Array(length).fill(i + 1)));
  for (const x of values) upload(x);
  const large = upload(tf.tensor1d(new Float32Array(100_000).fill(0.25)));
  for (const [i, x] of values.entries()) {
    const read = await tf.sub(x, parts[i]!).data();
    expect(read.every((value) => value === 0)).toBe(true);
  }
  expect((await tf.mul(large, 4).data()).every((value) => value === 1)).toBe(true);
  tf.dispose([parts, values, large]);
});
