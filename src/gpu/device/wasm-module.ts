import type { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import singleGlue from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.js';
import simdWasmUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url&no-inline';
import threadedGlue from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js';
import threadedGlueUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js?url&no-inline';
import threadedWasmUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.wasm?url&no-inline';
import threadWorkerUrl from './wasm-thread.worker.js?url&no-inline';

/**
 * Loads the WebAssembly module of tfjs's backend in a browser, in place of tfjs's own loader, which starts its
 * threads from blob: URLs and stringifies functions that a minifier may have rewritten (see
 * wasm-thread.worker.js). The JavaScript bridge is that of tfjs 4.22.0, `init` in backend_wasm.ts.
 */

/** What the studio uses of emscripten's module object beside what tfjs declares. */
interface GlueModule {
  readonly HEAPU8: Uint8Array;
  readonly cwrap: CWrap;
  _malloc(bytes: number): number;
  _free(address: number): void;
}
export type WasmModule = BackendWasm['wasm'] & GlueModule;
type ModuleFactory = typeof threadedGlue;
type GlueConfig = Parameters<ModuleFactory>[0] & { readonly wasmMemory?: WebAssembly.Memory };
/** Wraps a C function: its name, what it returns, what it takes. */
type CWrap = (name: string, returns: 'number' | null, takes: 'number'[]) => (...values: number[]) => number;

/** What tfjs's threaded glue would make itself, 16 MiB that may grow to 4 GiB: made here, the kernels can share it. */
const THREADED_MEMORY = { initial: 256, maximum: 65_536, shared: true };
/** Workers load in well under a second; if they have not by now, something keeps them from starting. */
const THREADS_TIMEOUT_MS = 10_000;

/**
 * @param threads 1: the module without threads; more: the module with them
 * @throws Error when the module or its workers cannot be loaded
 */
export async function loadWasmModule(threads: number): Promise<WasmModule> {
  const module = threads > 1 ? await loadThreaded(threads) : await loadSingle();
  const { cwrap } = module;
  module.tfjs = {
    init: cwrap('init', null, []),
    initWithThreadsCount: cwrap('init_with_threads_count', null, ['number']),
    getThreadsCount: cwrap('get_threads_count', 'number', []),
    registerTensor: cwrap('register_tensor', null, ['number', 'number', 'number']),
    disposeData: cwrap('dispose_data', null, ['number']),
    dispose: cwrap('dispose', null, []),
  };
  return module;
}

/** One glue serves the plain and the SIMD module. */
function loadSingle(): Promise<WasmModule> {
  return create(singleGlue, { locateFile: () => absolute(simdWasmUrl) });
}

async function loadThreaded(threads: number): Promise<WasmModule> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const message = `the threads did not start within ${THREADS_TIMEOUT_MS / 1000} s`;
    timer = setTimeout(() => reject(new Error(message)), THREADS_TIMEOUT_MS);
  });
  const restoreCores = reportCores(2 * threads);
  const wasmMemory = new WebAssembly.Memory(THREADED_MEMORY);
  const loaded = create(threadedGlue, {
    wasmMemory,
    mainScriptUrlOrBlob: absolute(threadedGlueUrl),
    locateFile: (path) => absolute(path.endsWith('.wasm') ? threadedWasmUrl : threadWorkerUrl),
  });
  try {
    const module = await Promise.race([loaded, late]);
    return Object.assign(module, { wasmMemory });
  } finally {
    restoreCores();
    clearTimeout(timer);
  }
}

/**
 * Has `navigator.hardwareConcurrency` say `cores` until the returned function is called. While the module is made
 * it caps its threads at half of that number, for the sake of processors with two threads a core: on two cores
 * that is one thread, whatever `setThreadsCount` asks for.
 */
function reportCores(cores: number): () => void {
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: cores, configurable: true });
  return () => {
    Reflect.deleteProperty(navigator, 'hardwareConcurrency');
  };
}

function create(factory: ModuleFactory, config: GlueConfig): Promise<WasmModule> {
  return new Promise((resolve, reject) => {
    const onAbort = (reason: string): void =>
      reject(new Error(`the WebAssembly module could not be loaded: ${reason}`));
    factory({ ...config, onAbort }).then((module) => resolve(module as WasmModule), reject);
  });
}

/** Asset URLs are relative to the site; a thread's `importScripts` resolves against its own script. */
function absolute(url: string): string {
  return new URL(url, self.location.href).href;
}
