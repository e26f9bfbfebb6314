/**
 * The studio's own kernels (assembly/) on the heap of tfjs's WebAssembly backend: they read and write its tensors where
 * they lie. A kernel's work is cut into units, which the caller and helping threads take one by one (assembly/index.ts).
 */
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { KERNEL_MODULES } from './modules';

/** Numbers by which assembly/index.ts knows the kernels. */
const KERNELS = {
  packWeights: 0,
  convolution: 1,
  groupNorm: 2,
  rowNorm: 3,
  activation: 4,
  geglu: 5,
  packKeys: 6,
  attention: 7,
  add: 8,
  copyBlocks: 9,
  packPhases: 10,
} as const;
export type KernelName = keyof typeof KERNELS;

/** What the studio uses of emscripten's module object; the memory is the threaded module's, or among the exports. */
interface Heap {
  _malloc(bytes: number): number;
  _free(address: number): void;
  readonly wasmMemory?: WebAssembly.Memory;
  readonly asm?: { readonly memory?: WebAssembly.Memory };
}

interface KernelExports {
  runAndFinish(job: number, units: number, scratch: number): void;
  announce(job: number): void;
}

type DataId = tf.TensorInfo['dataId'];

const JOB_BYTES = 256;
/** Words of a job before its arguments: units left, units done, number, kernel. */
const JOB_HEAD_WORDS = 4;
/** Memory of a thread: a tile, and six rows of scores of an attention. */
const SCRATCH_BYTES = 256 * 1024;
/** Keys that an attention may have: their scores have to fit into the scratch. */
export const MAX_KEYS = 10_000;

/** A thread that helps: what its worker is sent. */
export interface ThreadStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly job: number;
  readonly scratch: number;
}

export class WasmKernels {
  readonly #backend: BackendWasm;
  readonly #heap: Heap;
  readonly #memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  readonly #exports: KernelExports;
  readonly #job: number;
  readonly #scratch: number;
  readonly #packed = new Map<DataId, number>();
  readonly #packedPhases = new Map<DataId, number>();
  #zeros = { address: 0, count: 0 };
  #helpers = 0;
  #words = new Int32Array(0);

  constructor(backend: BackendWasm, heap: Heap, memory: WebAssembly.Memory) {
    this.#backend = backend;
    this.#heap = heap;
    this.#memory = memory;
    this.#module = compiledFor(memory);
    const { exports } = new WebAssembly.Instance(this.#module, { env: { memory } });
    this.#exports = exports as unknown as KernelExports;
    this.#job = this.#allocate(JOB_BYTES);
    new Uint8Array(memory.buffer, this.#job, JOB_BYTES).fill(0);
    this.#scratch = this.#allocate(SCRATCH_BYTES);
    this.#freePackedWithTensor();
  }

  /** Weights that are kept in the order of the products. */
  get packedCount(): number {
    return this.#packed.size + this.#packedPhases.size;
  }

  /** What a worker needs to become a thread that helps; it may begin at any time, also in the middle of a job. */
  threadStart(): ThreadStart {
    this.#helpers += 1;
    return {
      module: this.#module,
      memory: this.#memory,
      job: this.#job,
      scratch: this.#allocate(SCRATCH_BYTES),
    };
  }

  /** A new tensor for a kernel to write. */
  output(shape: readonly number[]): tf.TensorInfo {
    return this.#backend.makeOutput([...shape], 'float32');
  }

  /** Where a tensor's values begin; 0 for none. */
  address(tensor: tf.TensorInfo | null | undefined): number {
    return tensor ? this.#backend.dataIdMap.get(tensor.dataId).memoryOffset : 0;
  }

  /** `count` zeros or more. */
  zeros(count: number): number {
    if (this.#zeros.count < count) {
      if (this.#zeros.address) this.#heap._free(this.#zeros.address);
      this.#zeros = { address: this.#allocate(4 * count), count };
      new Float32Array(this.#memory.buffer, this.#zeros.address, count).fill(0);
    }
    return this.#zeros.address;
  }

  /** Runs `body` with memory for `count` values. */
  withScratch<T>(count: number, body: (address: number) => T): T {
    const address = this.#allocate(4 * count);
    try {
      return body(address);
    } finally {
      this.#heap._free(address);
    }
  }

  /**
   * The weights in panels of eight columns (assembly/product.ts), made at the first use and freed with the tensor.
   *
   * @param weights [depth, columns] in elements
   */
  packedWeights(weights: tf.TensorInfo, depth: number, columns: number): number {
    const known = this.#packed.get(weights.dataId);
    if (known !== undefined) return known;
    const panels = Math.ceil(columns / 8);
    const address = this.#allocate(panels * depth * 32);
    this.run('packWeights', panels, [this.address(weights), address, depth, columns]);
    this.#packed.set(weights.dataId, address);
    return address;
  }

  /**
   * As `packedWeights`, of the four phases of a filter [3, 3, Cin, Cout] behind an upsampling, one behind the other.
   */
  packedPhases(weights: tf.TensorInfo, inChannels: number, outChannels: number): number {
    const known = this.#packedPhases.get(weights.dataId);
    if (known !== undefined) return known;
    const units = 4 * Math.ceil(outChannels / 8);
    const address = this.#allocate(units * 4 * inChannels * 32);
    this.run('packPhases', units, [this.address(weights), address, inChannels, outChannels]);
    this.#packedPhases.set(weights.dataId, address);
    return address;
  }

  /** @param values the kernel's arguments, as its comment lists them: addresses and numbers, floats through `float` */
  run(kernel: KernelName, units: number, values: readonly number[]): void {
    if (units === 0) return;
    if (this.#words.buffer !== this.#memory.buffer) this.#words = new Int32Array(this.#memory.buffer);
    const words = this.#words;
    const at = this.#job >>> 2;
    words.set(values, at + JOB_HEAD_WORDS);
    words[at + 3] = KERNELS[kernel];
    words[at + 1] = 0;
    // Last: from here on a thread that is awake takes units.
    Atomics.store(words, at, units);
    if (this.#helpers > 0 && units > 1) this.#exports.announce(this.#job);
    this.#exports.runAndFinish(this.#job, units, this.#scratch);
  }

  #allocate(bytes: number): number {
    return this.#heap._malloc(bytes) >>> 0;
  }

  #freePackedWithTensor(): void {
    const { disposeData } = this.#backend;
    this.#backend.disposeData = (dataId, force) => {
      const gone = disposeData.call(this.#backend, dataId, force);
      for (const kept of gone ? [this.#packed, this.#packedPhases] : []) {
        const address = kept.get(dataId);
        if (address !== undefined) this.#heap._free(address);
        kept.delete(dataId);
      }
      return gone;
    };
  }
}

const floats = new Float32Array(1);
const floatBits = new Int32Array(floats.buffer);

/** A float as the word that an argument is. */
export function float(value: number): number {
  floats[0] = value;
  return floatBits[0]!;
}

const compiled = new Map<string, WebAssembly.Module>();

/** The module for this memory: with relaxed SIMD, whose multiply-add is one instruction, where the engine has it. */
function compiledFor(memory: WebAssembly.Memory): WebAssembly.Module {
  const kind =
    typeof SharedArrayBuffer === 'function' && memory.buffer instanceof SharedArrayBuffer
      ? 'shared'
      : 'single';
  const known = compiled.get(kind);
  if (known) return known;
  const relaxed = bytesOf(KERNEL_MODULES[`${kind}Relaxed`]);
  const bytes = WebAssembly.validate(relaxed) ? relaxed : bytesOf(KERNEL_MODULES[kind]);
  const module = new WebAssembly.Module(bytes);
  compiled.set(kind, module);
  return module;
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

const byBackend = new WeakMap<BackendWasm, WasmKernels | null>();

/** The kernels of the current backend; null on WebGPU, and where tfjs loaded its module itself and keeps the memory. */
export function wasmKernels(): WasmKernels | null {
  const backend = tf.backend();
  if (!(backend instanceof BackendWasm)) return null;
  const known = byBackend.get(backend);
  if (known !== undefined) return known;
  const heap = backend.wasm as unknown as Heap;
  const memory = heap.wasmMemory ?? heap.asm?.memory;
  const kernels = memory ? new WasmKernels(backend, heap, memory) : null;
  byBackend.set(backend, kernels);
  return kernels;
}
