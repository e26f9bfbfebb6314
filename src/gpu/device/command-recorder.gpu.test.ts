import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openDevice } from '.';
import type { ComputeDevice } from './compute-device';

let device: ComputeDevice;
let backend: WebGPUBackend;
beforeEach(async () => {
  device = await openDevice('webgpu');
  backend = tf.backend() as WebGPUBackend;
});
afterEach(() => {
  vi.restoreAllMocks();
  expect(device.takeError()).toBeNull();
  device.dispose();
});

const SIZE = 4096;
const onGpu = (value: number): tf.Tensor1D => {
  const x = tf.tensor1d(new Float32Array(SIZE).fill(value));
  backend.uploadToGPU(x.dataId);
  return x;
};
const bufferOf = ({ dataId }: tf.Tensor): unknown => backend.tensorMap.get(dataId).resource;
async function expectAll(x: tf.Tensor, value: number): Promise<void> {
  const values = await x.data();
  expect([Math.min(...values), Math.max(...values)]).toEqual([value, value]);
}

/** x -> 2 (x + 1), of which only the last is kept; each in buffers that the one before has left. */
function chain(x: tf.Tensor1D, times: number): tf.Tensor1D {
  return tf.tidy(() => {
    let y = tf.clone(x);
    for (let i = 0; i < times; i += 1) y = tf.tidy(() => tf.mul(tf.add(y, 1), 2));
    return y;
  });
}

describe('commands', () => {
  it('give a buffer on as soon as its tensor has gone, and what was computed from it stays', async () => {
    const a = onGpu(3);
    const doubled = tf.mul(a, 2);
    const before = bufferOf(a);
    a.dispose();
    // Nothing has been submitted: the upload into the same buffer is behind the product.
    const b = onGpu(5);
    expect(bufferOf(b)).toBe(before);
    const tripled = tf.mul(b, 3);
    await expectAll(doubled, 6);
    await expectAll(tripled, 15);
    tf.dispose([b, doubled, tripled]);
  });

  it('make nothing in a second pass, nor in a third with other values', async () => {
    const x = onGpu(1);
    const other = onGpu(2);
    const first = chain(x, 20);
    await expectAll(first, 3 * 2 ** 20 - 2);
    first.dispose();
    const made = [
      vi.spyOn(backend.device, 'createBindGroup'),
      vi.spyOn(backend.device, 'createBuffer'),
      vi.spyOn(backend.queue, 'writeBuffer'),
    ];
    const second = chain(x, 20);
    for (const spy of made) expect(spy).not.toHaveBeenCalled();
    await expectAll(second, 3 * 2 ** 20 - 2);
    second.dispose();
    const third = chain(other, 20);
    await expectAll(third, 4 * 2 ** 20 - 2);
    tf.dispose([x, other, third]);
  });

  it('find their buffers again after idle ones were given back', async () => {
    const x = onGpu(1);
    for (let round = 0; round < 3; round += 1) {
      const y = chain(x, 20);
      await expectAll(y, 3 * 2 ** 20 - 2);
      y.dispose();
      device.trim();
    }
    x.dispose();
  });

  it('stay right when more numbers and sizes come than are kept', async () => {
    const made = vi.spyOn(backend.device, 'createBuffer');
    const x = onGpu(1);
    const kept = chain(x, 3);
    // Each has a shape, so uniforms of its own; they fill all pages within this many.
    const results: tf.Tensor[] = [];
    for (let length = 1; length <= 20_000; length += 1) {
      const part = tf.tidy(() => tf.slice(x, 0, 1 + (length % SIZE)));
      if (length % 5000 === 0) results.push(part);
      else part.dispose();
      if (length > SIZE)
        tf.tidy(() =>
          tf.slice(tf.reshape(x, [64, 64]), [0, 0], [1 + (length % 64), 1 + (Math.floor(length / 64) % 64)]),
        );
    }
    for (const part of results) await expectAll(part, 1);
    await expectAll(kept, 3 * 2 ** 3 - 2);
    const again = chain(x, 3);
    await expectAll(again, 3 * 2 ** 3 - 2);
    const pages = made.mock.calls.filter(([{ usage }]) => usage & GPUBufferUsage.UNIFORM);
    expect(pages.length).toBeGreaterThan(65); // else nothing was forgotten
    tf.dispose([x, kept, again, results]);
  }, 60_000);

  it('are handed over at the latest after 32', async () => {
    const x = onGpu(1);
    await device.finish();
    const submitted = vi.spyOn(backend.queue, 'submit');
    const y = chain(x, 40); // 80 dispatches
    expect(submitted).toHaveBeenCalledTimes(2);
    await expectAll(y, Math.fround(3 * 2 ** 40 - 2));
    tf.dispose([x, y]);
  });
});
