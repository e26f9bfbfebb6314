/**
 * Which form of the WGSL kernels an adapter gets. GPUs stage tiles in workgroup memory; adapters that run shaders on
 * the processor (SwiftShader, llvmpipe, WARP) pay for every barrier and have caches instead, so they keep tiles in
 * registers; `composed` runs tfjs's own programs and is the reference that the others are tested against.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';

export type KernelVariant = 'tiles' | 'registers' | 'composed';

const ON_THE_PROCESSOR = /swiftshader|llvmpipe|lavapipe|warp|basic render/i;

const chosen = new WeakMap<WebGPUBackend, KernelVariant>();
let forced: KernelVariant | null = null;

/** The variant that the adapter's own description asks for. */
export function variantFor({ vendor = '', architecture = '', description = '' }): KernelVariant {
  return ON_THE_PROCESSOR.test(`${vendor} ${architecture} ${description}`) ? 'registers' : 'tiles';
}

/** The variant in use on this backend. */
export function kernelVariant(backend: WebGPUBackend): KernelVariant {
  if (forced) return forced;
  const known = chosen.get(backend);
  if (known) return known;
  const { vendor, architecture } = backend.adapterInfo as unknown as {
    vendor?: string;
    architecture?: string;
  };
  const variant = variantFor({ vendor: vendor ?? '', architecture: architecture ?? '' });
  chosen.set(backend, variant);
  return variant;
}

/** Fixes the variant of a backend: what the self-test found. */
export function chooseVariant(backend: WebGPUBackend, variant: KernelVariant): void {
  chosen.set(backend, variant);
}

/** Fixes the variant of every backend from now on; null lets each have its own again. For benches. */
export function forceVariant(variant: KernelVariant | null): void {
  forced = variant;
}

/** Runs `body` with a variant of the caller's choice, for tests and benches. */
export function withVariant<T>(variant: KernelVariant | null, body: () => T): T {
  const before = forced;
  forced = variant;
  try {
    return body();
  } finally {
    forced = before;
  }
}
