import * as tf from '@tensorflow/tfjs-core';
import { sumOfSquares } from '../../gpu/kernels';

/** The norm of all gradients as one vector: a scalar. */
export function globalNorm(gradients: readonly tf.Tensor[]): tf.Scalar {
  return tf.tidy(() => tf.sqrt(sumOfSquares(gradients)));
}

/** The factor of `torch.nn.utils.clip_grad_norm_`: at most 1. */
export function clipFactor(norm: number, maxNorm: number): number {
  return Math.min(1, maxNorm / (norm + 1e-6));
}

/** Adds up the gradients of a step's passes. */
export class GradientSum {
  #sum: tf.Tensor[] | null = null;

  /** Adds `gradients` times `weight`; takes them over, and frees one after another. */
  add(gradients: readonly tf.Tensor[], weight: number): void {
    const before = this.#sum;
    this.#sum = gradients.map((gradient, i) => {
      const sum = tf.tidy(() => {
        const share = weight === 1 ? tf.clone(gradient) : tf.mul(gradient, weight);
        return before ? tf.add(before[i] as tf.Tensor, share) : share;
      });
      tf.dispose([gradient, before?.[i] ?? []]);
      return sum;
    });
  }

  /** The sum so far, which stays this object's. */
  get gradients(): readonly tf.Tensor[] {
    return this.#sum ?? [];
  }

  /** Multiplies the sum. */
  scale(factor: number): void {
    if (factor === 1) return;
    // One at a time: the gradients of a whole UNet are not held twice.
    this.#sum = this.gradients.map((gradient) => {
      const scaled = tf.mul(gradient, factor);
      gradient.dispose();
      return scaled;
    });
  }

  /** Hands the sum over to the caller. */
  take(): readonly tf.Tensor[] {
    const { gradients } = this;
    this.#sum = null;
    return gradients;
  }

  dispose(): void {
    tf.dispose([...this.gradients]);
    this.#sum = null;
  }
}
