import * as tf from '@tensorflow/tfjs-core';
import type { KnownErrors } from './diffusion-dpo-loss';

/** Numbers of a pair's turn: mean and rest of the winner's error, then of the loser's. */
const NUMBERS = 4;

/** Of winners and losers, [B] each. */
export type KnownPairErrors = {
  readonly winner: KnownErrors;
  readonly loser: KnownErrors;
};

/** What a run keeps of them. */
export interface KeptReferences {
  /** Turns that are done, from the first on. */
  readonly done: number;
  /** [turns, 4]; 0 for those that are not done. */
  readonly values: Float32Array;
}

/**
 * The frozen model's errors at every noise of a run, so that the model itself need not stay: where every weight is
 * trained it would be a copy of them all. One turn is a pair at one noise level.
 */
export class ReferenceErrors {
  readonly #values: Float32Array;
  #done = 0;

  /** @param count turns of the run */
  constructor(readonly count: number) {
    this.#values = new Float32Array(count * NUMBERS);
  }

  get done(): number {
    return this.#done;
  }

  /**
   * Takes the errors of the turns that come next, and frees their tensors.
   * @param known [B] each
   * @returns their sum; those that are not finite are not taken
   */
  async add({ winner, loser }: KnownPairErrors): Promise<number> {
    const tensors = [winner.mean, winner.rest, loser.mean, loser.rest];
    const columns = await Promise.all(tensors.map((tensor) => tensor.data<'float32'>()));
    tf.dispose(tensors);
    const sum = columns.reduce((total, column) => column.reduce((a, b) => a + b, total), 0);
    if (!Number.isFinite(sum)) return sum;
    const [rows = 0] = tensors[0]?.shape ?? [];
    for (let row = 0; row < rows; row += 1) {
      const at = (this.#done + row) * NUMBERS;
      this.#values.set(
        columns.map((column) => column[row] ?? Number.NaN),
        at,
      );
    }
    this.#done += rows;
    return sum;
  }

  /** @returns tensors that the caller disposes */
  of(first: number, count: number): KnownPairErrors {
    const column = (index: number): tf.Tensor1D =>
      tf.tensor1d(
        Float32Array.from(
          { length: count },
          (_, i) => this.#values[(first + i) * NUMBERS + index] ?? Number.NaN,
        ),
      );
    return {
      winner: { mean: column(0), rest: column(1) },
      loser: { mean: column(2), rest: column(3) },
    };
  }

  snapshot(): KeptReferences {
    return { done: this.#done, values: this.#values.slice() };
  }

  /** Goes on from a snapshot of the same run. */
  restore({ done, values }: KeptReferences): void {
    this.#values.set(values);
    this.#done = done;
  }
}
