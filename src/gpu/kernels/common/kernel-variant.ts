/**
 * Which form of the WGSL kernels an adapter gets, and what beyond core WGSL their shaders may use. GPUs stage tiles in
 * workgroup memory; adapters that run shaders on the processor (SwiftShader, llvmpipe, WARP) pay for every barrier and
 * have caches instead, so they keep tiles in registers; `composed` runs tfjs's own programs and is the reference that
 * the others are tested against.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { BackendUnavailableError } from '../../../common/errors';

export type KernelVariant = 'tiles' | 'registers' | 'composed';

/** Optional features of WebGPU that a shader is written with. */
export interface ShaderFeatures {
  /** `shader-f16`: half-precision weights stay halves in workgroup memory. */
  readonly f16: boolean;
  /** `subgroups`: sums across threads take one barrier. */
  readonly subgroups: boolean;
}

export interface KernelChoice {
  readonly variant: KernelVariant;
  readonly features: ShaderFeatures;
}

export const CORE_WGSL: ShaderFeatures = { f16: false, subgroups: false };

const ON_THE_PROCESSOR = /swiftshader|llvmpipe|lavapipe|software|warp|basic render/i;

const chosen = new WeakMap<WebGPUBackend, KernelChoice>();
let forced: KernelVariant | null = null;
let forcedFeatures: ShaderFeatures | null = null;

/** The variant that the adapter's own description asks for. */
export function variantFor({ vendor = '', architecture = '', description = '' }): KernelVariant {
  return ON_THE_PROCESSOR.test(`${vendor} ${architecture} ${description}`) ? 'registers' : 'tiles';
}

/** What shaders on this device may use. */
export function featuresOf({ features }: Pick<GPUDevice, 'features'>): ShaderFeatures {
  return { f16: features.has('shader-f16'), subgroups: features.has('subgroups') };
}

/** The variant in use on this backend. */
export function kernelVariant(backend: WebGPUBackend): KernelVariant {
  return forced ?? kernelChoice(backend).variant;
}

/** The features that shaders use on this backend: none before `chooseVariant`. */
export function shaderFeatures(backend: WebGPUBackend): ShaderFeatures {
  if (!forcedFeatures) return kernelChoice(backend).features;
  requireFeatures(backend, forcedFeatures);
  return forcedFeatures;
}

function kernelChoice(backend: WebGPUBackend): KernelChoice {
  const known = chosen.get(backend);
  if (known) return known;
  const { vendor, architecture } = backend.adapterInfo as unknown as {
    vendor?: string;
    architecture?: string;
  };
  const variant = variantFor({ vendor: vendor ?? '', architecture: architecture ?? '' });
  const choice = { variant, features: CORE_WGSL };
  chosen.set(backend, choice);
  return choice;
}

/**
 * Fixes the kernels of a backend: what the self-test found.
 *
 * @throws BackendUnavailableError when the device was made without a feature that the kernels are written with
 */
export function chooseVariant(backend: WebGPUBackend, choice: KernelChoice): void {
  requireFeatures(backend, choice.features);
  chosen.set(backend, choice);
}

/** A shader with a feature that the device lacks does not compile, and its dispatches are left out without a word. */
function requireFeatures(backend: WebGPUBackend, wanted: ShaderFeatures): void {
  const has = featuresOf(backend.device);
  const missing = [
    wanted.f16 && !has.f16 && 'shader-f16',
    wanted.subgroups && !has.subgroups && 'subgroups',
  ].filter((name) => !!name);
  if (missing.length === 0) return;
  throw new BackendUnavailableError(
    `Expected a GPU device with ${missing.join(' and ')} for the kernels that were chosen, got one without. ` +
      'Choose kernels by the features of the device.',
  );
}

/** Fixes the variant of every backend from now on; null lets each have its own again. For benches. */
export function forceVariant(variant: KernelVariant | null): void {
  forced = variant;
}

/**
 * Runs `body` with kernels of the caller's choice, for tests and benches; core WGSL unless `features` are named.
 *
 * @throws BackendUnavailableError, at the first kernel, when the device lacks one of the features
 */
export function withVariant<T>(
  variant: KernelVariant | null,
  body: () => T,
  features: ShaderFeatures = CORE_WGSL,
): T {
  const before = [forced, forcedFeatures] as const;
  [forced, forcedFeatures] = [variant, variant && features];
  try {
    return body();
  } finally {
    [forced, forcedFeatures] = before;
  }
}
