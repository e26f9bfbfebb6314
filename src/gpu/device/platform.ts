/** What a browser (or Node) offers to compute with; tests give their own. */
export interface Platform {
  /** `navigator.gpu`, where there is one. */
  readonly gpu: GPU | undefined;
  readonly hasWasmSimd: boolean;
  /** Threads share memory, which browsers give to cross-origin isolated pages. */
  readonly hasSharedMemory: boolean;
  readonly logicalCores: number;
  /** In Node tfjs loads its own files, without threads. */
  readonly isNode: boolean;
}

/** (module (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt)): valid only where wasm SIMD is. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98,
  11,
]);

export function currentPlatform(): Platform {
  const isNode = typeof process === 'object' && typeof process.versions?.node === 'string';
  const { navigator } = globalThis;
  return {
    gpu: navigator?.gpu,
    hasWasmSimd: typeof WebAssembly === 'object' && WebAssembly.validate(SIMD_PROBE),
    hasSharedMemory: typeof SharedArrayBuffer === 'function' && !isNode,
    logicalCores: navigator?.hardwareConcurrency ?? 1,
    isNode,
  };
}
