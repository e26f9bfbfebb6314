import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import {
  BackendUnavailableError,
  InternalError,
  OutOfMemoryError,
  type StudioError,
} from '../../common/errors';
import { allowEnableLines } from '../kernels/common/shader-extensions';
import { chooseKernels } from '../kernels/self-test';
import type { BufferPool } from './buffer-pool';
import type { ComputeDevice } from './compute-device';
import { prepareBackend, submitEncoded } from './webgpu-backend';

/** Asked for where the adapter has them: half precision, shuffles within a subgroup, time stamps for the benches. */
const OPTIONAL_FEATURES: readonly GPUFeatureName[] = ['shader-f16', 'subgroups', 'timestamp-query'];

/** A device has the default limits, whatever the adapter can do, unless more is asked for. */
const RAISED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupsPerDimension',
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** A GPU process that has just crashed may never answer. */
const ADAPTER_TIMEOUT_MS = 10_000;

/** The adapter for heavy work; null when the browser has none to give. */
export async function requestAdapter(gpu: GPU): Promise<GPUAdapter | null> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ADAPTER_TIMEOUT_MS);
  });
  try {
    return await Promise.race([gpu.requestAdapter({ powerPreference: 'high-performance' }), late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Makes a device of `adapter` with all it offers of what the studio uses, registers tfjs's WebGPU backend on it and
 * makes that the current one.
 *
 * @throws BackendUnavailableError when the adapter gives no device, or one whose kernels compute wrong numbers
 */
export async function openWebGpuDevice(adapter: GPUAdapter, reason: string): Promise<ComputeDevice> {
  const device = await requestDevice(adapter);
  allowEnableLines(device);
  const backend = new WebGPUBackend(device, adapter.info);
  const pool = prepareBackend(backend);
  const submit = (): void => submitEncoded(backend);
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => backend);
  await tf.setBackend('webgpu');
  await chooseKernels(backend, adapter.info);

  let disposed = false;
  let firstError: StudioError | null = null;
  device.addEventListener('uncapturederror', ({ error }) => {
    firstError ??= toStudioError(error, pool);
  });
  const { vendor, architecture, description } = adapter.info;
  return {
    backend: 'webgpu',
    reason,
    adapter: { vendor, architecture, description },
    features: OPTIONAL_FEATURES.filter((feature) => device.features.has(feature)),
    limits: {
      maxBufferSize: device.limits.maxBufferSize,
      maxStorageBufferBindingSize: device.limits.maxStorageBufferBindingSize,
    },
    wasm: { simd: true, threads: 1 },
    lost: new Promise((resolve) => {
      // Only our own `dispose` is a planned end; a device destroyed by anything else is as lost as a crashed one.
      void device.lost.then(({ message, reason: why }) => {
        if (!disposed) resolve({ message: message || `reason: ${why ?? 'unknown'}` });
      });
    }),
    memory: () => ({
      gpuBytes: pool.numBytesUsed,
      gpuBytesReserved: pool.numBytesAllocated,
      gpuBytesPeak: pool.peakBytes,
      wasmHeapBytes: 0,
    }),
    trim() {
      submit();
      pool.trim();
    },
    takeError() {
      const error = firstError;
      firstError = null;
      return error;
    },
    async finish() {
      submit();
      await device.queue.onSubmittedWorkDone();
    },
    dispose() {
      disposed = true;
      if (tf.findBackend('webgpu') === backend) tf.removeBackend('webgpu');
      device.destroy();
    },
  };
}

async function requestDevice(adapter: GPUAdapter): Promise<GPUDevice> {
  const requiredLimits: Record<string, number> = {};
  for (const name of RAISED_LIMITS) requiredLimits[name] = adapter.limits[name];
  try {
    return await adapter.requestDevice({
      label: 'tango-studio',
      requiredFeatures: OPTIONAL_FEATURES.filter((feature) => adapter.features.has(feature)),
      requiredLimits,
    });
  } catch (error) {
    throw new BackendUnavailableError(
      `The GPU adapter gave no device (${error instanceof Error ? error.message : String(error)}). Update the graphics driver or choose WebAssembly.`,
      { cause: error },
    );
  }
}

function toStudioError(error: GPUError, pool: BufferPool): StudioError {
  if (error instanceof GPUOutOfMemoryError) {
    const mebibytes = Math.round(pool.numBytesAllocated / 2 ** 20);
    return new OutOfMemoryError(
      `GPU memory ended with ${mebibytes} MiB in use by the studio (${error.message}). Ask for a shorter sound, use a smaller model, close other programs that use the GPU, or choose WebAssembly.`,
    );
  }
  return new InternalError(
    `The GPU refused an operation: ${error.message}. Choose WebAssembly to go on, and please report this text with the name of your GPU.`,
  );
}
