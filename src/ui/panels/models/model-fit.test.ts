import { expect, test } from 'vitest';
import type { EngineInfo, ModelSummary } from '../../../engine/protocol';
import { fitOf } from './model-fit';

const gpu = (maxStorageBufferBindingSize: number) =>
  ({ backend: 'webgpu', limits: { maxBufferSize: 2 ** 31, maxStorageBufferBindingSize } }) as EngineInfo;
const wasm = { backend: 'wasm', limits: null } as EngineInfo;
/** Tango 2: its largest tensor is the UNet's 1280 × 2560 × 3 × 3. */
const tango = {
  components: [
    { name: 'text_encoder', parameterCount: 335e6, bytes: 670e6, largestTensorElements: 32_128 * 1024 },
    { name: 'unet', parameterCount: 866e6, bytes: 1732e6, largestTensorElements: 1280 * 2560 * 9 },
  ],
} as unknown as ModelSummary;

test('on a GPU the weights keep their size, and every part is counted', () => {
  const fit = fitOf(tango, gpu(128 * 2 ** 20));
  expect(fit.parts.map(({ name, bytes }) => [name, bytes])).toEqual([
    ['Text encoder', 670e6],
    ['UNet', 1732e6],
  ]);
  expect(fit).toMatchObject({ totalBytes: 2402e6, problem: null });
});

test('a tensor that is larger than the adapter binds is named before anything is tried', () => {
  expect(fitOf(tango, gpu(60e6)).problem).toMatch(/^Text encoder: its largest tensor/);
});

test('WebAssembly takes float32 and 4 GB', () => {
  expect(fitOf(tango, wasm)).toMatchObject({
    totalBytes: 4 * 1201e6,
    problem: expect.stringMatching(/needs WebGPU/),
  });
});
