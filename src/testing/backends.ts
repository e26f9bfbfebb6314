import '@tensorflow/tfjs-backend-wasm';
import '@tensorflow/tfjs-backend-webgpu';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect } from 'vitest';
import { openDevice } from '../gpu/device';

export type TestBackend = 'wasm' | 'webgpu';

const inBrowser = typeof window !== 'undefined';

/** WebGPU in Node: dawn.ts. It is there for what the browser's adapter cannot run, half precision. */
export const onDawn = !inBrowser && globalThis.navigator?.gpu !== undefined;

/** Node runs wasm, or WebGPU where Dawn brings it (dawn.ts); the browser runs both, each suite once. */
const TEST_BACKENDS: readonly TestBackend[] = inBrowser ? ['webgpu', 'wasm'] : onDawn ? ['webgpu'] : ['wasm'];

/**
 * Runs a suite on every backend of the place it runs in. Written once: `x.test.ts` holds the suite (Node), and
 * `x.gpu.test.ts` is `import './x.test';` (browser). A backend that does not start fails the suite.
 */
export function forEachBackend(name: string, suite: (backend: TestBackend) => void): void {
  describe.each(TEST_BACKENDS)(`${name} on %s`, (backend) => {
    beforeAll(() => startBackend(backend));
    suite(backend);
  });
}

/** Makes the backend the current one. @throws when there is no adapter or no wasm. */
export async function startBackend(backend: TestBackend): Promise<void> {
  if (inBrowser && backend === 'wasm') await serveWasmBinaries();
  // The studio's own device, with the features and limits of the adapter; tfjs would ask for none.
  if (backend === 'webgpu' && !tf.findBackend('webgpu')) await openDevice('webgpu');
  if (!(await tf.setBackend(backend))) throw new Error(`The backend "${backend}" did not start.`);
  await tf.ready();
  expect(tf.getBackend()).toBe(backend);
}

let wasmServed = false;

/** In Node the binaries are found beside the module; a browser needs their addresses. */
async function serveWasmBinaries(): Promise<void> {
  if (wasmServed) return;
  const [plain, simd, threaded] = await Promise.all([
    import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url'),
    import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url'),
    import('@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-threaded-simd.wasm?url'),
  ]);
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain.default,
    'tfjs-backend-wasm-simd.wasm': simd.default,
    'tfjs-backend-wasm-threaded-simd.wasm': threaded.default,
  });
  wasmServed = true;
}

/**
 * Runs `body`, which must dispose what it makes, and expects tensor count and backend bytes to be as before. The body
 * runs once before counting, so that shaders and caches exist.
 */
export async function expectNoLeak(body: () => Promise<void> | void): Promise<void> {
  await body();
  const before = await memoryInUse();
  await body();
  expect(await memoryInUse()).toEqual(before);
}

async function memoryInUse(): Promise<{ tensors: number; bytes: number }> {
  if (tf.getBackend() === 'webgpu') await flushQueue();
  const memory = tf.memory();
  const bytes = 'numBytesInGPU' in memory ? Number(memory.numBytesInGPU) : memory.numBytes;
  return { tensors: memory.numTensors, bytes };
}

/** Buffers whose disposal waits for a submit are released by one: reading a tensor back submits. */
async function flushQueue(): Promise<void> {
  const probe = tf.tensor1d([0]);
  // Without this tfjs answers from the JavaScript copy, and submits nothing.
  (tf.backend() as WebGPUBackend).uploadToGPU(probe.dataId);
  await probe.data();
  probe.dispose();
}
