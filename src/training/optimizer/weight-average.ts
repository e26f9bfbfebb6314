import * as tf from '@tensorflow/tfjs-core';
import { required } from '../../common/assert';
import type { TrainableWeight } from '../trainable-weight';

/**
 * An exponential moving average of the weights (`EMAModel` of diffusers): decay min(d, (1 + n) / (10 + n)) at the n-th
 * update, so that it soon forgets where training began.
 */
export class WeightAverage {
  readonly #values = new Map<string, tf.Tensor>();

  constructor(readonly decay: number) {}

  /** @param steps that were done before this one */
  update(weights: readonly TrainableWeight[], steps: number): void {
    const decay = Math.min(this.decay, (1 + steps) / (10 + steps));
    for (const { name, tensor } of weights) {
      const before = this.#values.get(name);
      const value = tf.tidy(() =>
        before ? tf.add(tf.mul(before, decay), tf.mul(tensor, 1 - decay)) : tf.mul(tensor, 1),
      );
      before?.dispose();
      this.#values.set(name, value);
    }
  }

  /** Puts the averages into the weights until the returned function is called. */
  exchange(weights: readonly TrainableWeight[]): () => void {
    const swap = (): void => {
      for (const weight of weights) {
        const value = this.#values.get(weight.name);
        if (value) this.#values.set(weight.name, weight.swap(value));
      }
    };
    swap();
    return swap;
  }

  async snapshot(): Promise<ReadonlyMap<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for (const [name, value] of this.#values) values.set(name, Float32Array.from(await value.data()));
    return values;
  }

  /** @param values with `average.<name>` of every weight */
  restore(weights: readonly TrainableWeight[], values: ReadonlyMap<string, Float32Array>): void {
    this.dispose();
    for (const { name, shape } of weights) {
      const value = required(values.get(`average.${name}`), `the average of ${name}`);
      this.#values.set(name, tf.tensor(value, [...shape]));
    }
  }

  dispose(): void {
    for (const value of this.#values.values()) value.dispose();
    this.#values.clear();
  }
}
