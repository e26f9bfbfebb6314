import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { describe, expect, it } from 'vitest';
import { BackendUnavailableError } from '../../common/errors';
import {
  CORE_WGSL,
  chooseVariant,
  type KernelChoice,
  kernelVariant,
  shaderFeatures,
  variantFor,
  withVariant,
} from './common/kernel-variant';
import { chooseKernels, type VariantMemory } from './self-test';

const SWIFTSHADER = {
  vendor: 'google',
  architecture: 'swiftshader',
  device: '',
  description: '',
} as GPUAdapterInfo;
const GPU = { vendor: 'nvidia', architecture: 'ada', device: '', description: '' } as GPUAdapterInfo;

function mapMemory(): VariantMemory & { readonly entries: Map<string, KernelChoice> } {
  const entries = new Map<string, KernelChoice>();
  return {
    entries,
    get: async (key) => entries.get(key),
    set: async (key, variant) => void entries.set(key, variant),
  };
}

const ALL = ['shader-f16', 'subgroups'];

const backend = (features: readonly string[] = []): WebGPUBackend =>
  ({ adapterInfo: {}, device: { features: new Set(features) } }) as unknown as WebGPUBackend;

describe('the choice of kernels', () => {
  it('is by adapter: tiles for GPUs, registers for adapters on the processor', () => {
    expect(variantFor(GPU)).toBe('tiles');
    expect(variantFor(SWIFTSHADER)).toBe('registers');
    expect(variantFor({ vendor: 'mesa', description: 'llvmpipe (LLVM 19.1, 256 bits)' })).toBe('registers');
  });

  it('leaves out a variant that computes other numbers, and remembers', async () => {
    const memory = mapMemory();
    const tried: string[] = [];
    const check = async ({ variant }: KernelChoice): Promise<boolean> => {
      tried.push(variant);
      return variant !== 'tiles';
    };
    const registers = { variant: 'registers', features: CORE_WGSL };
    expect(await chooseKernels(backend(), GPU, memory, check)).toEqual(registers);
    expect(tried).toEqual(['tiles', 'registers']);

    const later = backend();
    expect(await chooseKernels(later, GPU, memory, check)).toEqual(registers);
    expect(tried).toHaveLength(2);
    expect(kernelVariant(later)).toBe('registers');

    expect(await chooseKernels(backend(), SWIFTSHADER, memory, check)).toEqual(registers);
    expect(memory.entries.size).toBe(2);
  });

  it('takes all features of the device, and leaves out one that computes other numbers', async () => {
    const memory = mapMemory();
    const both = { f16: true, subgroups: true };
    const right = async (): Promise<boolean> => true;
    const choice = await chooseKernels(backend(ALL), GPU, memory, right);
    expect(choice).toEqual({ variant: 'tiles', features: both });

    const wrongSums = async ({ features }: KernelChoice): Promise<boolean> => !features.subgroups;
    const device = backend(ALL);
    expect(await chooseKernels(device, GPU, mapMemory(), wrongSums)).toEqual({
      variant: 'tiles',
      features: { f16: true, subgroups: false },
    });
    expect(shaderFeatures(device)).toEqual({ f16: true, subgroups: false });

    // A browser that was started without the feature asks anew.
    expect(await chooseKernels(backend(['subgroups']), GPU, memory, right)).toEqual({
      variant: 'tiles',
      features: { f16: false, subgroups: true },
    });
  });

  it('is an error at once when the device lacks what the kernels are written with', () => {
    const choice: KernelChoice = { variant: 'tiles', features: { f16: true, subgroups: true } };
    expect(() => chooseVariant(backend(['subgroups']), choice)).toThrow(
      new BackendUnavailableError(
        'Expected a GPU device with shader-f16 for the kernels that were chosen, got one without. Choose kernels by the features of the device.',
      ),
    );
    const forced = (): unknown => withVariant('tiles', () => shaderFeatures(backend()), choice.features);
    expect(forced).toThrow(/shader-f16 and subgroups/);
  });

  it('is an error when every variant is wrong', async () => {
    const memory = mapMemory();
    await expect(chooseKernels(backend(), GPU, memory, async () => false)).rejects.toThrow(
      BackendUnavailableError,
    );
    expect(memory.entries.size).toBe(0);
  });
});
