/**
 * Results that are not computed yet. A kernel may return a tensor whose dispatch waits until somebody needs the
 * values; when the next op is one that the dispatch can do on its way (an activation, the sum with a residual, the
 * order in which heads are written), that op takes the waiting result over and nothing is computed twice or stored in
 * between. Models see ordinary tensors.
 *
 * Whatever reads data of the backend meets `force` first: every way into a WebGPU buffer is wrapped, once a backend.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';

type DataId = tf.TensorInfo['dataId'];

/** A waiting dispatch. `inputs` stay alive as long as it waits. */
export interface Deferred {
  readonly inputs: readonly tf.TensorInfo[];
  /** Writes the values into `output`, whose data has no buffer yet. */
  run(output: tf.TensorInfo): void;
}

export class DeferredResults {
  readonly #waiting = new Map<DataId, Deferred>();
  readonly #backend: WebGPUBackend;

  constructor(backend: WebGPUBackend) {
    this.#backend = backend;
    this.#wrap();
  }

  /** A tensor of `shape` that `deferred` computes when it is needed. */
  add(shape: readonly number[], deferred: Deferred): tf.TensorInfo {
    for (const { dataId } of deferred.inputs) this.#backend.incRef(dataId);
    const info = this.#backend.makeTensorInfo([...shape], 'float32');
    this.#waiting.set(info.dataId, deferred);
    return info;
  }

  /** What computes this data, while it waits. */
  of(dataId: DataId): Deferred | undefined {
    return this.#waiting.get(dataId);
  }

  /** Computes the data now, if it waits. */
  force(dataId: DataId): void {
    const deferred = this.#take(dataId);
    if (!deferred) return;
    const { shape, dtype } = this.#backend.tensorMap.get(dataId);
    try {
      deferred.run({ dataId, shape, dtype });
    } finally {
      this.#release(deferred);
    }
  }

  #take(dataId: DataId): Deferred | undefined {
    const deferred = this.#waiting.get(dataId);
    if (deferred) this.#waiting.delete(dataId);
    return deferred;
  }

  /** Gives the inputs back; those that only this kept alive leave tfjs's engine as well. */
  #release({ inputs }: Deferred): void {
    for (const { dataId } of inputs) {
      if (this.#backend.disposeData(dataId)) tf.engine().removeDataId(dataId, this.#backend);
    }
  }

  #wrap(): void {
    const backend = this.#backend;
    const { runWebGPUProgram, uploadToGPU, shouldExecuteOnCPU, read, readSync, readToGPU, disposeData } =
      backend;
    backend.runWebGPUProgram = (program, inputs, ...rest) => {
      for (const { dataId } of inputs) this.force(dataId);
      return runWebGPUProgram.call(backend, program, inputs, ...rest);
    };
    backend.uploadToGPU = (dataId) => {
      this.force(dataId);
      uploadToGPU.call(backend, dataId);
    };
    // Kernels ask this before they look at values themselves: data that waits has neither values nor a buffer.
    backend.shouldExecuteOnCPU = (inputs, threshold) => {
      for (const { dataId } of inputs) this.force(dataId);
      return shouldExecuteOnCPU.call(backend, inputs, threshold);
    };
    backend.read = (dataId) => {
      this.force(dataId);
      return read.call(backend, dataId);
    };
    backend.readSync = (dataId) => {
      this.force(dataId);
      return readSync.call(backend, dataId);
    };
    backend.readToGPU = (dataId) => {
      this.force(dataId);
      return readToGPU.call(backend, dataId);
    };
    backend.disposeData = (dataId, force) => {
      const gone = disposeData.call(backend, dataId, force);
      if (gone) {
        const never = this.#take(dataId);
        if (never) this.#release(never);
      }
      return gone;
    };
  }
}

const byBackend = new WeakMap<WebGPUBackend, DeferredResults>();

/** The waiting results of this backend. */
export function deferredResults(backend: WebGPUBackend): DeferredResults {
  const known = byBackend.get(backend);
  if (known) return known;
  const made = new DeferredResults(backend);
  byBackend.set(backend, made);
  return made;
}
