import { BackendUnavailableError } from '../../common/errors';
import type { BackendChoice, ComputeDevice } from './compute-device';
import { currentPlatform, type Platform } from './platform';
import { openWasmDevice } from './wasm-device';
import { openWebGpuDevice, requestAdapter } from './webgpu-device';

/**
 * Opens what tfjs computes on and makes it tfjs's current backend.
 *
 * `auto` takes WebGPU where there is a hardware adapter, else WebAssembly. A software adapter runs the same shaders
 * on the processor, many times slower than WebAssembly does, so it is used only when WebGPU is asked for.
 *
 * @throws BackendUnavailableError when the forced backend, or for `auto` neither, can be used; the message says why
 *   and what to do
 */
export async function openDevice(
  choice: BackendChoice,
  platform: Platform = currentPlatform(),
): Promise<ComputeDevice> {
  if (choice === 'wasm') return openWasmDevice(platform, 'WebAssembly was chosen.');

  const why = await openWebGpu(choice, platform);
  if (typeof why !== 'string') return why;
  if (choice === 'webgpu') {
    throw new BackendUnavailableError(`WebGPU was chosen, but ${why} Or choose WebAssembly.`);
  }
  if (!platform.hasWasmSimd) {
    throw new BackendUnavailableError(
      `This browser can run the studio neither on the GPU nor on the processor: ${why} And it has no WebAssembly SIMD. Update it: Chrome 113, Edge 113, Firefox 141 and Safari 26 have both.`,
    );
  }
  return openWasmDevice(platform, `WebAssembly, because ${why}`);
}

/** The device, or why there is none, as a clause for a person with what would change it. */
async function openWebGpu(choice: BackendChoice, platform: Platform): Promise<ComputeDevice | string> {
  if (!platform.gpu) {
    return 'this browser has no WebGPU. Chrome and Edge 113, Firefox 141 and Safari 26 have it, on pages served by https or from localhost.';
  }
  const adapter = await requestAdapter(platform.gpu);
  if (!adapter) {
    return 'the browser found no GPU it can use. Check that hardware acceleration is on in its settings and that the graphics driver is up to date.';
  }
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'GPU';
  if (isFallbackAdapter && choice === 'auto') {
    return `the only adapter (${name}) emulates a GPU on the processor, which is slower. Check that hardware acceleration is on in the browser's settings.`;
  }
  const reason = choice === 'webgpu' ? `WebGPU was chosen: ${name}.` : `WebGPU: the browser gave ${name}.`;
  try {
    return await openWebGpuDevice(adapter, reason);
  } catch (error) {
    if (error instanceof BackendUnavailableError && choice === 'auto') return error.message;
    throw error;
  }
}
