import * as tf from '@tensorflow/tfjs-core';
import type { WeightTensor } from '../gpu/weight-tensor';

/** A float32 weight that training replaces: kernels take it as they take a model's parameter. */
export class TrainableWeight implements WeightTensor {
  readonly dtype = 'float32';
  readonly shape: readonly number[];
  #tensor: tf.Tensor;

  /** @param tensor float32; the weight owns it from now on */
  constructor(
    readonly name: string,
    tensor: tf.Tensor,
  ) {
    this.shape = tensor.shape;
    this.#tensor = tensor;
  }

  get tensor(): tf.Tensor {
    return this.#tensor;
  }

  /** Takes over a tensor of the same shape and frees the one before. */
  replace(tensor: tf.Tensor): void {
    this.#tensor.dispose();
    this.#tensor = tensor;
  }

  /** Takes over a tensor of the same shape and hands the one before to the caller. */
  swap(tensor: tf.Tensor): tf.Tensor {
    const before = this.#tensor;
    this.#tensor = tensor;
    return before;
  }

  /** The values as they are on the backend, in the backend's layout. */
  async read(): Promise<Float32Array> {
    return Float32Array.from(await this.#tensor.data());
  }

  write(values: Float32Array): void {
    this.replace(tf.tensor(values, [...this.shape], 'float32'));
  }

  dispose(): void {
    this.#tensor.dispose();
  }
}
