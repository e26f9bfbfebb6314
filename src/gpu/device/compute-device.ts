import type { StudioError } from '../../common/errors';

export type BackendName = 'webgpu' | 'wasm';
export type BackendChoice = 'auto' | BackendName;

export interface DeviceMemory {
  /** Bytes of GPU buffers that tensors hold. */
  readonly gpuBytes: number;
  /** Bytes of GPU buffers in all: those that tensors hold and those kept for the next tensor of their size. */
  readonly gpuBytesReserved: number;
  /** The most that `gpuBytesReserved` has been. */
  readonly gpuBytesPeak: number;
  readonly wasmHeapBytes: number;
}

/** What tfjs computes on, once it is registered as tfjs's current backend. */
export interface ComputeDevice {
  readonly backend: BackendName;
  /** Why this backend and not the other, in words for a person. */
  readonly reason: string;
  readonly adapter: { vendor: string; architecture: string; description: string } | null;
  /** WebGPU features that the device has been given. */
  readonly features: readonly GPUFeatureName[];
  /** In bytes; null where there is no GPU. */
  readonly limits: { readonly maxBufferSize: number; readonly maxStorageBufferBindingSize: number } | null;
  /** Threads that compute: 1 when the backend is WebGPU or memory cannot be shared. */
  readonly wasm: { readonly simd: boolean; readonly threads: number };
  /**
   * Resolves when the device is gone without `dispose` having been called: everything on it is gone too.
   * Never on wasm.
   */
  readonly lost: Promise<{ readonly message: string }>;
  memory(): DeviceMemory;
  /** Gives buffers that no tensor holds back to the GPU. */
  trim(): void;
  /** The first error the GPU reported since the last call: out of memory, or a bug. */
  takeError(): StudioError | null;
  /** Waits until everything submitted so far has run. */
  finish(): Promise<void>;
  /** Unregisters the backend and frees the device with every tensor on it. */
  dispose(): void;
}
