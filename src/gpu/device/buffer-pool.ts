import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { BufferManager } from '@tensorflow/tfjs-backend-webgpu/dist/buffer_manager';
import * as tf from '@tensorflow/tfjs-core';
import { shareScalars } from './scalar-buffers';

/**
 * Idle bytes kept for reuse: as many as a pass of Tango's UNet leaves behind at 10.24 s, so that the next step makes no
 * buffer (bench/counts), and no more than a third of its weights.
 */
const DEFAULT_IDLE_LIMIT_BYTES = 672 * 2 ** 20;

/**
 * GPU buffers of tfjs's backend, kept by exact size and usage for reuse as tfjs's own manager does, which however
 * keeps every idle buffer forever. This one destroys the longest idle when they pass a limit, gives all back on
 * `trim`, and knows the peak.
 *
 * An idle buffer may still be named by commands that are encoded and not submitted (a copy into a tensor that was
 * disposed at once), and a submit with a destroyed buffer is refused. So `shrink` and `trim` are for the moment after
 * a submit, and releasing alone destroys nothing that can be reused.
 */
export class BufferPool extends BufferManager {
  /** The most bytes that have been allocated at once. */
  peakBytes = 0;
  /** Bytes of buffers that have been made, not taken from the idle ones. */
  createdBytes = 0;
  readonly #gpu: GPUDevice;
  readonly #idleLimitBytes: number;
  /** Idle buffers by size and usage; a Set keeps them in the order in which they became idle. */
  readonly #idle = new Map<string, GPUBuffer[]>();
  readonly #idleOrder = new Set<GPUBuffer>();
  readonly #used = new Set<GPUBuffer>();

  constructor(device: GPUDevice, idleLimitBytes = DEFAULT_IDLE_LIMIT_BYTES) {
    super(device);
    this.#gpu = device;
    this.#idleLimitBytes = idleLimitBytes;
  }

  override acquireBuffer(
    size: number,
    usage: GPUBufferUsageFlags,
    mappedAtCreation = false,
    reuse = true,
  ): GPUBuffer {
    let buffer = reuse ? this.#idle.get(keyOf(size, usage))?.pop() : undefined;
    if (buffer) {
      this.#idleOrder.delete(buffer);
    } else {
      buffer = this.#gpu.createBuffer({ size, usage, mappedAtCreation });
      this.createdBytes += size;
      this.numBytesAllocated += size;
      this.peakBytes = Math.max(this.peakBytes, this.numBytesAllocated);
    }
    this.#used.add(buffer);
    this.numBytesUsed += size;
    return buffer;
  }

  override releaseBuffer(buffer: GPUBuffer, reuse = true): void {
    if (!this.#used.delete(buffer)) return; // the pool was disposed in between
    this.numBytesUsed -= buffer.size;
    if (!reuse) {
      this.#destroy(buffer);
      return;
    }
    const key = keyOf(buffer.size, buffer.usage);
    const idle = this.#idle.get(key);
    if (idle) idle.push(buffer);
    else this.#idle.set(key, [buffer]);
    this.#idleOrder.add(buffer);
  }

  override getNumUsedBuffers(): number {
    return this.#used.size;
  }

  override getNumFreeBuffers(): number {
    return this.#idleOrder.size;
  }

  /** Destroys the longest idle until the others are within the limit. */
  shrink(): void {
    this.#shrinkIdleTo(this.#idleLimitBytes);
  }

  /** Destroys every idle buffer. */
  trim(): void {
    this.#shrinkIdleTo(0);
  }

  override dispose(): void {
    this.trim();
    for (const buffer of this.#used) this.#destroy(buffer);
    this.#used.clear();
    this.numBytesUsed = 0;
  }

  #shrinkIdleTo(bytes: number): void {
    for (const buffer of this.#idleOrder) {
      if (this.numBytesAllocated - this.numBytesUsed <= bytes) return;
      this.#idleOrder.delete(buffer);
      const key = keyOf(buffer.size, buffer.usage);
      const rest = this.#idle.get(key)?.filter((idle) => idle !== buffer) ?? [];
      if (rest.length > 0) this.#idle.set(key, rest);
      else this.#idle.delete(key);
      this.#destroy(buffer);
    }
  }

  #destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    this.numBytesAllocated -= buffer.size;
  }
}

/**
 * Gives the backend a pool in place of its own buffer manager, which shrinks after every submit, and one buffer for each
 * number.
 */
export function installPool(backend: WebGPUBackend): BufferPool {
  const pool = new BufferPool(backend.device);
  backend.bufferManager = pool;
  shareScalars(backend);
  const submitQueue = backend.submitQueue;
  backend.submitQueue = () => {
    submitQueue.call(backend);
    pool.shrink();
  };
  return pool;
}

/** Hands over what is encoded; there may be nothing. */
export function submitEncoded(backend: WebGPUBackend): void {
  backend.ensureCommandEncoderReady();
  backend.endComputePassEncoder();
  backend.submitQueue();
}

/** Destroys the idle buffers of the current backend, before something large takes their place. Elsewhere there are none. */
export function giveIdleBuffersBack(): void {
  if (tf.getBackend() !== 'webgpu') return;
  const backend = tf.backend() as WebGPUBackend;
  submitEncoded(backend);
  if (backend.bufferManager instanceof BufferPool) backend.bufferManager.trim();
}

function keyOf(size: number, usage: GPUBufferUsageFlags): string {
  return `${size}_${usage}`;
}
