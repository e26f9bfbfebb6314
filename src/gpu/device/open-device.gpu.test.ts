import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, describe, expect, it } from 'vitest';
import { conv2d } from '../kernels';
import { wasmKernels } from '../wasm-kernels/wasm-kernels';
import { type ComputeDevice, currentPlatform, openDevice } from '.';

const platform = currentPlatform();
const opened: ComputeDevice[] = [];

async function open(...args: Parameters<typeof openDevice>): Promise<ComputeDevice> {
  const device = await openDevice(...args);
  opened.push(device);
  return device;
}

afterEach(() => {
  for (const device of opened.splice(0)) device.dispose();
});

/** Three 3x3 convolutions of 64 channels on a 64x32 image. */
async function convolve(): Promise<Float32Array> {
  const result = tf.tidy(() => {
    const kernel = tf.fill([3, 3, 64, 64], 0.01) as tf.Tensor4D;
    let image = tf.reshape(tf.linspace(-1, 1, 64 * 32 * 64), [1, 64, 32, 64]) as tf.Tensor4D;
    for (let i = 0; i < 3; i++) image = tf.conv2d(image, kernel, 1, 'same');
    return image;
  });
  const values = (await result.data()) as Float32Array;
  result.dispose();
  return values;
}

describe('the WebAssembly device', () => {
  it('computes with several threads where memory can be shared, and the same numbers as one', async () => {
    expect(platform.hasSharedMemory).toBe(true);
    const threaded = await open('wasm', platform);
    expect(threaded.reason).toBe('WebAssembly was chosen.');
    expect(threaded.wasm.threads).toBeGreaterThan(1);
    const values = await convolve();
    threaded.dispose();
    opened.pop();

    const single = await open('wasm', { ...platform, hasSharedMemory: false });
    expect(single.wasm.threads).toBe(1);
    expect(single.reason).toMatch(/One thread only.*COOP and COEP/);
    expect(await convolve()).toEqual(values);
  });

  it("shares the work of the studio's own kernels between threads", async () => {
    const threaded = await open('wasm', platform);
    expect(threaded.wasm.threads).toBeGreaterThan(1);
    const { own, largestError } = await convolveByOwnKernel();
    expect(largestError).toBeLessThan(1e-4);
    threaded.dispose();
    opened.pop();

    await open('wasm', { ...platform, hasSharedMemory: false });
    expect((await convolveByOwnKernel()).own).toEqual(own);
  });
});

/** A convolution by the studio's own kernel, many times, so that threads join in the middle of jobs. */
async function convolveByOwnKernel(): Promise<{ own: Float32Array; largestError: number }> {
  expect(wasmKernels()).not.toBeNull();
  const x = tf.reshape(tf.linspace(-1, 1, 64 * 8 * 32), [1, 64, 8, 32]) as tf.Tensor4D;
  const filter = tf.reshape(tf.linspace(-0.1, 0.2, 9 * 32 * 40), [3, 3, 32, 40]) as tf.Tensor4D;
  const weight = { name: 'weight', shape: filter.shape, dtype: 'float32' as const, tensor: filter };
  const expected = await tf.conv2d(x, filter, 1, 'same').data<'float32'>();
  const rms = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  let own = new Float32Array();
  let largestError = 0;
  for (let i = 0; i < 50; i += 1) {
    const y = conv2d(x, weight, null, { padding: 1 });
    own = (await y.data()) as Float32Array<ArrayBuffer>;
    y.dispose();
    own.forEach((value, at) => {
      largestError = Math.max(largestError, Math.abs(value - expected[at]!) / rms);
    });
  }
  tf.dispose([x, filter]);
  return { own, largestError };
}

describe('the WebGPU device', () => {
  it('has the limits and features of its adapter', async () => {
    const device = await open('webgpu');
    const adapter = (await navigator.gpu.requestAdapter())!;
    const backend = tf.backend() as unknown as { device: GPUDevice };
    expect(backend.device.limits.maxBufferSize).toBe(adapter.limits.maxBufferSize);
    expect(backend.device.limits.maxStorageBufferBindingSize).toBe(
      adapter.limits.maxStorageBufferBindingSize,
    );
    for (const feature of ['shader-f16', 'subgroups', 'timestamp-query'] as const) {
      expect(device.features.includes(feature)).toBe(adapter.features.has(feature));
    }
    expect(device.adapter).not.toBeNull();
    expect(device.reason).toMatch(/^WebGPU was chosen/);
  });

  it('is not chosen by itself when it is emulated on the processor', async () => {
    const device = await open('auto');
    expect(device.backend).toBe('wasm');
    expect(device.reason).toMatch(/emulates a GPU/);
  });

  it('counts bytes, gives idle ones back, and remembers the peak', async () => {
    const device = await open('webgpu');
    await convolve();
    await device.finish();
    const after = device.memory();
    expect(after.gpuBytesPeak).toBeGreaterThanOrEqual(3 * 64 * 32 * 64 * 4);
    expect(after.gpuBytes).toBe(0);
    expect(after.gpuBytesReserved).toBeGreaterThan(0);
    device.trim();
    expect(device.memory()).toMatchObject({ gpuBytesReserved: 0, gpuBytesPeak: after.gpuBytesPeak });
  });

  it('gives back what encoded commands still name only after they are submitted', async () => {
    const device = await open('webgpu');
    const backend = tf.backend() as WebGPUBackend;
    const upload = (): void => {
      const tensor = tf.ones([64]);
      backend.uploadToGPU(tensor.dataId);
      tensor.dispose();
    };
    upload(); // leaves an idle buffer, which the next upload fills by an encoded copy
    upload();
    device.trim();
    await device.finish();
    expect(device.takeError()).toBeNull();
    expect(device.memory().gpuBytesReserved).toBe(0);
  });

  it('tells a lost device from one that was disposed', async () => {
    const lost = await open('webgpu');
    (tf.backend() as unknown as { device: GPUDevice }).device.destroy();
    expect((await lost.lost).message).toBeTruthy();

    const disposed = await open('webgpu');
    disposed.dispose();
    opened.pop();
    const outcome = await Promise.race([
      disposed.lost.then(() => 'lost'),
      new Promise((resolve) => setTimeout(resolve, 200, 'silent')),
    ]);
    expect(outcome).toBe('silent');
  });

  it('hands over what the GPU refused', async () => {
    const device = await open('webgpu');
    const gpu = (tf.backend() as unknown as { device: GPUDevice }).device;
    gpu.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.STORAGE });
    await device.finish();
    expect(device.takeError()?.message).toMatch(/The GPU refused an operation/);
    expect(device.takeError()).toBeNull();
  });
});
