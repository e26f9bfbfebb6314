import { BufferManager } from '@tensorflow/tfjs-backend-webgpu/dist/buffer_manager';

/**
 * Idle bytes kept for reuse: as many as a pass of Tango's UNet leaves behind at 10.24 s, so that the next step makes no
 * buffer (bench/counts), and less than a third of its weights.
 */
const DEFAULT_IDLE_LIMIT_BYTES = 512 * 2 ** 20;
/** A buffer that is worth destroying: hundreds of a training step's take less together. */
const LARGE_BYTES = 2 ** 20;

/**
 * GPU buffers of tfjs's backend, kept by exact size and usage for reuse as tfjs's own manager does, which however
 * keeps every idle buffer forever. This one destroys the longest idle when they pass a limit, gives all back on
 * `trim`, and knows the peak. Of the idle ones it gives the oldest, so that a pass which begins with the same buffers in
 * use as the one before is given the same for each of its results, and finds its bind groups made.
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
  /** Idle buffers by size and usage, the oldest last. */
  readonly #idle = new Map<string, GPUBuffer[]>();
  /** All idle ones, in the order in which they became idle. */
  readonly #idleOrder = new Set<GPUBuffer>();
  readonly #used = new Set<GPUBuffer>();
  readonly #numbers = new WeakMap<GPUBuffer, number>();
  #lastNumber = 0;

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
      this.numberOf(buffer);
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
    const idle = this.#idle.get(key) ?? [];
    const number = this.numberOf(buffer);
    let at = idle.length;
    while (at > 0 && this.numberOf(idle[at - 1]!) < number) at -= 1;
    idle.splice(at, 0, buffer);
    this.#idle.set(key, idle);
    this.#idleOrder.add(buffer);
  }

  /** Which buffer this is, for good: the pool's own in the order in which they were made. */
  numberOf(buffer: GPUBuffer): number {
    const known = this.#numbers.get(buffer);
    if (known !== undefined) return known;
    this.#lastNumber += 1;
    this.#numbers.set(buffer, this.#lastNumber);
    return this.#lastNumber;
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

  /** The longest idle first; those that hold next to nothing only when the large ones are gone. */
  #shrinkIdleTo(bytes: number): void {
    for (const least of [LARGE_BYTES, 0]) {
      for (const buffer of this.#idleOrder) {
        if (this.numBytesAllocated - this.numBytesUsed <= bytes) return;
        if (buffer.size < least) continue;
        this.#idleOrder.delete(buffer);
        const key = keyOf(buffer.size, buffer.usage);
        const rest = this.#idle.get(key)?.filter((idle) => idle !== buffer) ?? [];
        if (rest.length > 0) this.#idle.set(key, rest);
        else this.#idle.delete(key);
        this.#destroy(buffer);
      }
    }
  }

  #destroy(buffer: GPUBuffer): void {
    buffer.destroy();
    this.numBytesAllocated -= buffer.size;
  }
}

function keyOf(size: number, usage: GPUBufferUsageFlags): string {
  return `${size}_${usage}`;
}
