import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectNoLeak, startBackend } from '../../testing';
import { featuresOf, type KernelChoice, variantFor } from './common/kernel-variant';
import { chooseKernels, type VariantMemory } from './self-test';

const ADAPTERS = [
  { vendor: 'google', architecture: 'swiftshader', device: '', description: '' },
  { vendor: 'nvidia', architecture: 'ada', device: '', description: '' },
] as GPUAdapterInfo[];

const forgetful: VariantMemory = {
  get: async (): Promise<KernelChoice | undefined> => undefined,
  set: async () => {},
};

describe('the self-test', () => {
  beforeAll(() => startBackend('webgpu'));

  it.each(ADAPTERS)('passes for the kernels that $architecture gets', async (info) => {
    const backend = tf.backend() as WebGPUBackend;
    expect(await chooseKernels(backend, info, forgetful)).toEqual({
      variant: variantFor(info),
      features: featuresOf(backend.device),
    });
  });

  it('leaves nothing', async () => {
    const backend = tf.backend() as WebGPUBackend;
    await expectNoLeak(async () => void (await chooseKernels(backend, ADAPTERS[0]!, forgetful)));
  });
});
