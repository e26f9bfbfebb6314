import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { describe, expect, it } from 'vitest';
import { BackendUnavailableError } from '../../common/errors';
import { type KernelVariant, kernelVariant, variantFor } from './common/kernel-variant';
import { chooseKernels, type VariantMemory } from './self-test';

const SWIFTSHADER = {
  vendor: 'google',
  architecture: 'swiftshader',
  device: '',
  description: '',
} as GPUAdapterInfo;
const GPU = { vendor: 'nvidia', architecture: 'ada', device: '', description: '' } as GPUAdapterInfo;

function mapMemory(): VariantMemory & { readonly entries: Map<string, KernelVariant> } {
  const entries = new Map<string, KernelVariant>();
  return {
    entries,
    get: async (key) => entries.get(key),
    set: async (key, variant) => void entries.set(key, variant),
  };
}

const backend = (): WebGPUBackend => ({ adapterInfo: {} }) as unknown as WebGPUBackend;

describe('the choice of kernels', () => {
  it('is by adapter: tiles for GPUs, registers for adapters on the processor', () => {
    expect(variantFor(GPU)).toBe('tiles');
    expect(variantFor(SWIFTSHADER)).toBe('registers');
    expect(variantFor({ vendor: 'mesa', description: 'llvmpipe (LLVM 19.1, 256 bits)' })).toBe('registers');
  });

  it('leaves out a variant that computes other numbers, and remembers', async () => {
    const memory = mapMemory();
    const tried: KernelVariant[] = [];
    const check = async (variant: KernelVariant): Promise<boolean> => {
      tried.push(variant);
      return variant !== 'tiles';
    };
    expect(await chooseKernels(backend(), GPU, memory, check)).toBe('registers');
    expect(tried).toEqual(['tiles', 'registers']);

    const later = backend();
    expect(await chooseKernels(later, GPU, memory, check)).toBe('registers');
    expect(tried).toHaveLength(2);
    expect(kernelVariant(later)).toBe('registers');

    expect(await chooseKernels(backend(), SWIFTSHADER, memory, check)).toBe('registers');
    expect(memory.entries.size).toBe(2);
  });

  it('is an error when every variant is wrong', async () => {
    const memory = mapMemory();
    await expect(chooseKernels(backend(), GPU, memory, async () => false)).rejects.toThrow(
      BackendUnavailableError,
    );
    expect(memory.entries.size).toBe(0);
  });
});
