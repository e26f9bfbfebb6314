import { BackendWasm, getThreadsCount, setThreadsCount } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { BackendUnavailableError, OutOfMemoryError } from '../../common/errors';
import { threadsFor } from '../../common/threads-for';
import { startKernelThreads } from '../wasm-kernels/kernel-threads';
import { wasmKernels } from '../wasm-kernels/wasm-kernels';
import type { ComputeDevice } from './compute-device';
import type { Platform } from './platform';
import { loadWasmModule, type WasmModule } from './wasm-module';

/**
 * Registers tfjs's WebAssembly backend and makes it the current one: with threads where memory can be shared,
 * with one where it cannot or the threads do not start.
 *
 * @throws BackendUnavailableError when there is no wasm SIMD or the module cannot be loaded
 */
export async function openWasmDevice(platform: Platform, reason: string): Promise<ComputeDevice> {
  if (!platform.hasWasmSimd) {
    throw new BackendUnavailableError(
      'WebAssembly SIMD is needed and this browser does not have it. Update the browser: Chrome 91, Edge 91, Firefox 89, Safari 16.4 and later have it.',
    );
  }
  const opened = platform.isNode ? await openInNode() : await openInBrowser(platform);
  const module = opened.backend.wasm as WasmModule;
  guardAllocations(module);
  return {
    backend: 'wasm',
    reason: `${reason} ${opened.threadsReason}`.trim(),
    adapter: null,
    features: [],
    limits: null,
    wasm: { simd: true, threads: opened.threads },
    lost: new Promise(() => {}),
    memory: () => ({
      gpuBytes: 0,
      gpuBytesReserved: 0,
      gpuBytesPeak: 0,
      wasmHeapBytes: module.HEAPU8.buffer.byteLength,
    }),
    trim: () => {}, // a wasm heap only grows; what is freed is used again
    takeError: () => null,
    finish: async () => {},
    dispose() {
      if (tf.findBackend('wasm') !== opened.backend) return;
      tf.removeBackend('wasm');
      opened.onDispose();
    },
  };
}

interface OpenedBackend {
  readonly backend: BackendWasm;
  readonly threads: number;
  readonly threadsReason: string;
  readonly onDispose: () => void;
}

/** In Node tfjs loads its own files, by the factory it registered; that one is put back for the next device. */
async function openInNode(): Promise<OpenedBackend> {
  const factory = tf.findBackendFactory('wasm');
  if (tf.findBackend('wasm')) {
    tf.removeBackend('wasm');
    tf.registerBackend('wasm', factory);
  }
  await tf.setBackend('wasm');
  const backend = tf.backend();
  if (!(backend instanceof BackendWasm))
    throw new BackendUnavailableError('tfjs has no wasm backend in Node.');
  return { backend, threads: 1, threadsReason: '', onDispose: () => tf.registerBackend('wasm', factory) };
}

async function openInBrowser(platform: Platform): Promise<OpenedBackend> {
  const wanted = platform.hasSharedMemory ? threadsFor(platform.logicalCores) : 1;
  let module: WasmModule | null = null;
  let threadsReason =
    wanted === 1 && platform.logicalCores > 1
      ? 'One thread only: the page is not cross-origin isolated (its server must send COOP and COEP headers).'
      : '';
  if (wanted > 1) {
    try {
      module = await loadWasmModule(wanted);
    } catch (error) {
      threadsReason = `One thread only: ${error instanceof Error ? error.message : String(error)}.`;
    }
  }
  try {
    module ??= await loadWasmModule(1);
  } catch (error) {
    throw new BackendUnavailableError(
      'The WebAssembly module of the studio could not be loaded. Reload the page; if that does not help, the files on this server are incomplete.',
      { cause: error },
    );
  }
  setThreadsCount(wanted);
  const backend = new BackendWasm(module);
  if (tf.findBackendFactory('wasm')) tf.removeBackend('wasm');
  tf.registerBackend('wasm', () => backend);
  await tf.setBackend('wasm');
  const threads = Math.max(1, getThreadsCount());
  const kernels = threads > 1 ? wasmKernels() : null;
  const endThreads = kernels ? startKernelThreads(kernels, threads - 1) : () => {};
  return { backend, threads, threadsReason, onDispose: endThreads };
}

/** `malloc` of a full heap answers 0, and tfjs would write the tensor there: over the program's own data. */
function guardAllocations(module: WasmModule): void {
  // Emscripten's export is a stub that replaces itself at its first call, and would replace the guard with it.
  module._free(module._malloc(1));
  const allocate = module._malloc;
  module._malloc = (bytes) => {
    const address = allocate(bytes);
    if (address === 0 && bytes > 0) {
      const heapMiB = Math.round(module.HEAPU8.buffer.byteLength / 2 ** 20);
      throw new OutOfMemoryError(
        `WebAssembly memory ended: ${Math.ceil(bytes / 2 ** 20)} MiB more were needed, the heap is ${heapMiB} MiB (4096 at most). Ask for a shorter sound, use a smaller model, or a browser with WebGPU.`,
      );
    }
    return address;
  };
}
