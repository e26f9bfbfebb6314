import { expect, test } from 'vitest';
import type { EngineInfo, ModelSummary } from '../../../engine/protocol';
import { fakePlan } from '../../../testing/fake-engine-client';
import { fitOf, fitOfPlan } from './model-fit';

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

/** cvssp/audioldm2, kept in half precision. */
const audioldm2 = {
  components: [
    ['text_encoder', 125.3e6],
    ['text_encoder_2', 341.2e6],
    ['projection_model', 1.2e6],
    ['language_model', 85.8e6],
    ['unet', 346.9e6],
    ['vae', 55.4e6],
    ['vocoder', 55.3e6],
  ].map(([name, parameterCount]) => ({ name, parameterCount, bytes: 2 * Number(parameterCount) })),
} as unknown as ModelSummary;

test('AudioLDM 2 has seven parts, and more weights than WebAssembly has room for', () => {
  const fit = fitOf(audioldm2, gpu(2 ** 30));
  expect(fit.parts.map(({ name }) => name)).toEqual([
    'Text encoder',
    'Text encoder 2',
    'Projection',
    'Language model',
    'UNet',
    'VAE',
    'Vocoder',
  ]);
  expect(fit.problem).toBeNull();
  // 4.04 GB are less than a WebAssembly memory, but loading would refuse them.
  expect(fitOf(audioldm2, wasm).problem).toMatch(/3.2. It needs WebGPU/);
});

test('before a download of AudioLDM 2, each of its parts is counted', () => {
  const files = ['text_encoder', 'text_encoder_2', 'projection_model', 'language_model', 'unet', 'vae'].map(
    (part) => ({ path: `${part}/model.safetensors`, size: 10, repo: 'cvssp/audioldm2' }),
  );
  const tokenizer = { path: 'tokenizer_2/tokenizer.json', size: 7, repo: 'cvssp/audioldm2' };
  const plan = {
    ...fakePlan('cvssp/audioldm2'),
    files: [...files, tokenizer],
    totalBytes: 67,
    memoryBytes: 67,
  };
  expect(fitOfPlan(plan, gpu(2 ** 30))).toMatchObject({ totalBytes: 60, problem: null });
});

test('before a download, the parts are those of the files', () => {
  const tango2 = fakePlan('declare-lab/tango2');
  const onGpu = fitOfPlan(tango2, gpu(128 * 2 ** 20));
  expect(onGpu.parts.map(({ name, bytes }) => [name, Math.round(bytes / 1e6)])).toEqual([
    ['Text encoder and UNet', 2415],
    ['VAE and vocoder', 222],
  ]);
  expect(onGpu.problem).toBeNull();
  expect(fitOfPlan(tango2, wasm).problem).toMatch(/needs WebGPU/);

  const files = [
    'text_encoder/model.fp16.safetensors',
    'unet/diffusion_pytorch_model-00001-of-00002.safetensors',
  ];
  const plan = {
    ...tango2,
    files: [
      ...files,
      'unet/diffusion_pytorch_model-00002-of-00002.safetensors',
      'unet/config.json',
      'README.md',
    ].map((path) => ({ path, size: 100, repo: 'a/b' })),
    totalBytes: 500,
    memoryBytes: 500,
  };
  expect(fitOfPlan(plan, wasm).parts).toMatchObject([
    { name: 'Text encoder', bytes: 200 },
    { name: 'UNet', bytes: 200 },
  ]);
});

test('the root’s weights are a CLAP’s or PANNs’, as the hub’s plan says', () => {
  const plan = { ...fakePlan('a/b'), totalBytes: 330, memoryBytes: 165 };
  const files = [{ path: 'model.safetensors', size: 330, repo: 'a/b' }];
  const gpuOf = gpu(128 * 2 ** 20);
  expect(fitOfPlan({ ...plan, kind: 'clap', files }, gpuOf).parts).toMatchObject([
    { name: 'CLAP', bytes: 165 },
  ]);
  expect(fitOfPlan({ ...plan, kind: 'pann', files }, wasm).parts).toMatchObject([
    { name: 'PANNs', bytes: 330 },
  ]);
  const published = [{ path: 'Cnn14_16k_mAP=0.438.pth', size: 330, repo: 'a/b' }];
  expect(fitOfPlan({ ...plan, kind: 'pann', files: published }, gpuOf).parts).toMatchObject([
    { name: 'PANNs', bytes: 165 },
  ]);
});
