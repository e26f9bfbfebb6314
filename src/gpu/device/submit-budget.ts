import type { WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import { elementCount } from '../../common/assert';
import type { CountedProgram } from '../kernels/common/gpu-program';

/** About those of one block of Tango's UNet: the GPU computes one while the next is encoded. */
const MOST_DISPATCHES = 32;
/** What a submit may take: drivers give up on a GPU after some seconds, and a screen waits for it meanwhile. */
const MOST_SECONDS = 0.1;
/** Work a second of an adapter that nothing is known of: a slow one. */
const UNKNOWN_RATE = 100e9;
/** Work of a byte moved, in operations: what GPUs do in that time, within a factor of two or three. */
const OPERATIONS_PER_BYTE = 10;

/**
 * When the commands encoded so far are handed over: after as many as a block has, and before they would keep the adapter
 * busy for long. How fast it is comes from the times in which it was seen to end all that it was given.
 */
export class SubmitBudget {
  /** Operations a second, bytes moved counted as some. */
  #rate = UNKNOWN_RATE;
  #dispatches = 0;
  #work = 0;
  /** Work handed over since the adapter was last seen idle, and when that began. */
  #pending = 0;
  #began = 0;

  /** @returns whether it is time to submit */
  add(program: WebGPUProgram): boolean {
    this.#dispatches += 1;
    this.#work += workOf(program);
    return this.#dispatches >= MOST_DISPATCHES || this.#work >= this.#rate * MOST_SECONDS;
  }

  submitted(now: number): void {
    if (this.#pending === 0) this.#began = now;
    this.#pending += this.#work;
    this.#work = 0;
    this.#dispatches = 0;
  }

  /** The work of all submits so far: what `ended` is told when it is done. */
  get pending(): number {
    return this.#pending;
  }

  /** Work handed over so far is done at `now`, in milliseconds; when more has been since, nothing is learnt. */
  ended(pending: number, now: number): void {
    if (pending !== this.#pending || pending === 0) return;
    const seconds = (now - this.#began) / 1000;
    // What is this short says more of the way to the adapter than of the adapter.
    if (seconds > MOST_SECONDS / 10) this.#rate = pending / seconds;
    this.#pending = 0;
  }
}

function workOf(program: WebGPUProgram): number {
  if ('traffic' in program) {
    const { flops, readBytes, writeBytes } = (program as CountedProgram).traffic;
    return flops + OPERATIONS_PER_BYTE * (readBytes + writeBytes);
  }
  // tfjs's own, here only where little is moved: each result from two operands.
  return 3 * 4 * OPERATIONS_PER_BYTE * elementCount(program.outputShape);
}
