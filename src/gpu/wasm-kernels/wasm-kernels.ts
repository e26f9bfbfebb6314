/**
 * The studio's own kernels (assembly/) on the heap of tfjs's WebAssembly backend: they read and write its tensors where
 * they lie. A kernel's work is cut into units, which the caller and helping threads take one by one (assembly/index.ts).
 */
import { BackendWasm } from '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { compiledFor } from './compiled-module';
import { KERNELS, type KernelName } from './kernel-numbers';

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
/** Memory of a thread: most for the scores of some queries of an attention and their gradients. */
export const SCRATCH_BYTES = 512 * 1024;

/** A thread that helps: what its worker is sent. */
export interface ThreadStart {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly job: number;
  readonly scratch: number;
}

/**
 * Which taps of a filter a gradient's convolution has, of the rows and of the columns each: its tap j is the sum of `span`
 * taps from first - step j on, as far as there are any.
 */
export interface TurnedTaps {
  readonly taps: readonly [number, number];
  readonly first: readonly [number, number];
  readonly step: readonly [number, number];
  readonly span: number;
}

export class WasmKernels {
  readonly #backend: BackendWasm;
  readonly #heap: Heap;
  readonly #memory: WebAssembly.Memory;
  readonly #module: WebAssembly.Module;
  readonly #exports: KernelExports;
  readonly #job: number;
  readonly #scratch: number;
  /** Of a weight, where its copies in the order of the products lie, by what they are for. */
  readonly #packed = new Map<DataId, Map<string, number>>();
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

  /** Copies of weights that are kept in the order of the products. */
  get packedCount(): number {
    return [...this.#packed.values()].reduce((sum, { size }) => sum + size, 0);
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

  /** The same data for one more tensor. */
  share({ dataId, shape, dtype }: tf.TensorInfo): tf.TensorInfo {
    this.#backend.incRef(dataId);
    return { dataId, shape, dtype };
  }

  /** As a tensor of the surrounding tidy, for gradients: what they return is no kernel's result. */
  tensor<T extends tf.Tensor>(info: tf.TensorInfo): T {
    return tf.engine().makeTensorFromTensorInfo(info) as T;
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
    const panels = Math.ceil(columns / 8);
    return this.#packedAs('columns', weights, panels * depth, (address) =>
      this.run('packWeights', panels, [this.address(weights), address, depth, columns]),
    );
  }

  /**
   * As `packedWeights`, of the four phases of a filter [3, 3, Cin, Cout] behind an upsampling, one behind the other.
   */
  packedPhases(weights: tf.TensorInfo, inChannels: number, outChannels: number): number {
    const units = 4 * Math.ceil(outChannels / 8);
    return this.#packedAs('phases', weights, units * 4 * inChannels, (address) =>
      this.run('packPhases', units, [this.address(weights), address, inChannels, outChannels]),
    );
  }

  /**
   * As `packedWeights`, of a filter that is turned around and has its channels swapped, for the gradient of the input.
   *
   * @param shape [kh, kw, Cin, Cout] of the filter; a linear layer's is [1, 1, in, out]
   */
  packedTurned(
    weights: tf.TensorInfo,
    shape: readonly number[],
    { taps, first, step, span }: TurnedTaps,
  ): number {
    const [, , inChannels, outChannels] = shape as [number, number, number, number];
    const panels = Math.ceil(inChannels / 8);
    const order = [...taps, ...first, ...step, span];
    return this.#packedAs(`turned ${order}`, weights, panels * taps[0] * taps[1] * outChannels, (address) =>
      this.run('packTurned', panels, [this.address(weights), address, ...shape, ...order]),
    );
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

  /** @param rows of eight values */
  #packedAs(
    purpose: string,
    { dataId }: tf.TensorInfo,
    rows: number,
    pack: (address: number) => void,
  ): number {
    const copies = this.#packed.get(dataId) ?? new Map<string, number>();
    const known = copies.get(purpose);
    if (known !== undefined) return known;
    const address = this.#allocate(32 * rows);
    pack(address);
    this.#packed.set(dataId, copies.set(purpose, address));
    return address;
  }

  #allocate(bytes: number): number {
    return this.#heap._malloc(bytes) >>> 0;
  }

  #freePackedWithTensor(): void {
    const { disposeData } = this.#backend;
    this.#backend.disposeData = (dataId, force) => {
      const gone = disposeData.call(this.#backend, dataId, force);
      if (gone) {
        for (const address of this.#packed.get(dataId)?.values() ?? []) this.#heap._free(address);
        this.#packed.delete(dataId);
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
