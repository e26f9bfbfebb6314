import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { BackendUnavailableError } from '../../common/errors';
import { currentPlatform, openDevice, type Platform } from '.';

const node = currentPlatform();
/** A browser's `navigator.gpu` on a machine without a GPU. */
const gpuWithoutAdapter = { requestAdapter: async () => null } as unknown as GPU;

async function messageOf(choice: 'auto' | 'webgpu' | 'wasm', platform: Platform): Promise<string> {
  const error = await openDevice(choice, platform).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(BackendUnavailableError);
  return (error as Error).message;
}

describe('openDevice', () => {
  it('takes WebAssembly where there is no WebGPU, and says why', async () => {
    const device = await openDevice('auto', node);
    expect(device.backend).toBe('wasm');
    expect(device.reason).toMatch(/WebAssembly, because this browser has no WebGPU/);
    expect(tf.getBackend()).toBe('wasm');
    const sum = tf.sum(tf.tensor1d([1, 2, 3]));
    expect(sum.dataSync()[0]).toBe(6);
    expect(device.memory().wasmHeapBytes).toBeGreaterThan(0);
    expect(device.takeError()).toBeNull();
  });

  it('takes WebAssembly where WebGPU finds no adapter, and says what to check', async () => {
    const device = await openDevice('auto', { ...node, gpu: gpuWithoutAdapter });
    expect(device.backend).toBe('wasm');
    expect(device.reason).toMatch(/found no GPU.*hardware acceleration/);
  });

  it('refuses a forced WebGPU that is not there', async () => {
    expect(await messageOf('webgpu', node)).toMatch(/WebGPU was chosen, but this browser has no WebGPU/);
    expect(await messageOf('webgpu', { ...node, gpu: gpuWithoutAdapter })).toMatch(/found no GPU/);
  });

  it('says what to do when there is neither WebGPU nor wasm SIMD', async () => {
    const platform = { ...node, hasWasmSimd: false };
    expect(await messageOf('auto', platform)).toMatch(/neither on the GPU nor on the processor.*Update it/);
    expect(await messageOf('auto', { ...platform, gpu: gpuWithoutAdapter })).toMatch(/found no GPU/);
    expect(await messageOf('wasm', platform)).toMatch(/SIMD is needed.*Update the browser/);
  });

  it('turns a full wasm heap into an error instead of writing over it', async () => {
    const device = await openDevice('wasm', node);
    const backend = tf.backend() as BackendWasm;
    const allocateGiB = (): tf.TensorInfo => backend.makeOutput([2 ** 28], 'float32');
    const allocated: tf.TensorInfo[] = [];
    const fill = (): void => {
      for (let i = 0; i < 8; i++) allocated.push(allocateGiB());
    };
    expect(fill).toThrow(/memory ended: 1024 MiB more were needed/);
    expect(allocated.length).toBeLessThan(4);
    for (const { dataId } of allocated) backend.disposeData(dataId);
    expect(tf.sum(tf.tensor1d([1, 2, 3])).dataSync()[0]).toBe(6);
    expect(device.memory().wasmHeapBytes).toBeLessThanOrEqual(2 ** 32);
  });
});
