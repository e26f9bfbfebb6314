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

/** Less than this says more of the way to the adapter than of the adapter. */
const LEAST_LEARNT = 1e9;

/** Work handed over between two marks, and when the first of it was, in milliseconds. */
export interface Stretch {
  readonly work: number;
  readonly began: number;
}

/**
 * When the commands encoded so far are handed over: after as many as a block has, and before they would keep the adapter
 * busy for long. How fast it is comes from when it was seen to end what it was given; it works in the order of the submits.
 */
export class SubmitBudget {
  /** Operations a second, bytes moved counted as some. */
  #rate = UNKNOWN_RATE;
  #dispatches = 0;
  #work = 0;
  #stretch: Stretch = { work: 0, began: 0 };
  #lastEnd = 0;

  /** @returns whether it is time to submit */
  add(program: WebGPUProgram): boolean {
    this.#dispatches += 1;
    this.#work += workOf(program);
    return this.#dispatches >= MOST_DISPATCHES || this.#work >= this.#rate * MOST_SECONDS;
  }

  submitted(now: number): void {
    const { work, began } = this.#stretch;
    this.#stretch = { work: work + this.#work, began: work === 0 ? now : began };
    this.#work = 0;
    this.#dispatches = 0;
  }

  /** @returns what has been handed over since the last mark, for `ended` */
  mark(): Stretch {
    const stretch = this.#stretch;
    this.#stretch = { work: 0, began: 0 };
    return stretch;
  }

  ended({ work, began }: Stretch, now: number): void {
    const seconds = (now - Math.max(began, this.#lastEnd)) / 1000;
    this.#lastEnd = now;
    if (work >= LEAST_LEARNT && seconds > 0) this.#rate = work / seconds;
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
