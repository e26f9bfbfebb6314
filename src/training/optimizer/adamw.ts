import * as tf from '@tensorflow/tfjs-core';
import { required } from '../../common/assert';
import { adamWUpdate, type Moments } from '../../gpu/kernels';
import type { TrainableWeight } from '../trainable-weight';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

/** torch.optim.AdamW's defaults. */
export const ADAMW_DEFAULTS: AdamWOptions = { beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 1e-2 };

/**
 * AdamW with decoupled weight decay (arXiv 1711.05101), in the order of `torch.optim.AdamW`: decay, moments,
 * bias-corrected step. Moments are float32, whatever the frozen model is kept in.
 */
export class AdamW {
  readonly options: AdamWOptions;
  readonly #moments = new Map<string, Moments>();
  #steps = 0;

  constructor(options: Partial<AdamWOptions> = {}) {
    this.options = { ...ADAMW_DEFAULTS, ...options };
  }

  /** Steps that were taken: the bias correction counts them. */
  get steps(): number {
    return this.#steps;
  }

  /**
   * Replaces each weight's value by that of the next step.
   * @param gradients one for each weight, of its shape; each is freed when its weight is done
   */
  step(weights: readonly TrainableWeight[], gradients: readonly tf.Tensor[], learningRate: number): void {
    const { beta1, beta2, eps, weightDecay } = this.options;
    this.#steps += 1;
    const factors = {
      ...{ beta1, beta2, eps },
      decay: 1 - learningRate * weightDecay,
      stepSize: learningRate / (1 - beta1 ** this.#steps),
      rootOfCorrection: Math.sqrt(1 - beta2 ** this.#steps),
    };
    for (const [i, weight] of weights.entries()) {
      const gradient = required(gradients[i], `a gradient for ${weight.name}`);
      const before = this.#moments.get(weight.name) ?? null;
      const { value, first, second } = adamWUpdate(weight.tensor, gradient, before, factors);
      weight.replace(value);
      gradient.dispose();
      if (before) tf.dispose([before.first, before.second]);
      this.#moments.set(weight.name, { first, second });
    }
  }

  /** The moments as numbers: `first.<name>` and `second.<name>`. */
  async snapshot(): Promise<ReadonlyMap<string, Float32Array>> {
    const values = new Map<string, Float32Array>();
    for (const [name, { first, second }] of this.#moments) {
      values.set(`first.${name}`, Float32Array.from(await first.data()));
      values.set(`second.${name}`, Float32Array.from(await second.data()));
    }
    return values;
  }

  /** Goes on from a snapshot that was taken after `steps` steps of the same weights. */
  restore(
    weights: readonly TrainableWeight[],
    values: ReadonlyMap<string, Float32Array>,
    steps: number,
  ): void {
    this.dispose();
    this.#steps = steps;
    if (steps === 0) return;
    for (const { name, shape } of weights) {
      const tensor = (key: string): tf.Tensor =>
        tf.tensor(required(values.get(key), `the optimizer's ${key}`), [...shape]);
      this.#moments.set(name, { first: tensor(`first.${name}`), second: tensor(`second.${name}`) });
    }
  }

  dispose(): void {
    for (const { first, second } of this.#moments.values()) tf.dispose([first, second]);
    this.#moments.clear();
    this.#steps = 0;
  }
}
