import * as tf from '@tensorflow/tfjs-core';
import { InvalidInputError } from '../common/errors';
import { giveIdleBuffersBack } from '../gpu/device';
import { weightValues } from '../gpu/kernels';
import type { UNet2DConditionModel } from '../models/unet-2d-condition';
import type { Parameter } from '../nn';
import { TrainableWeight } from './trainable-weight';
import type { TrainedPart } from './trained-part';

/**
 * Every weight of a UNet, trained as the paper trains Tango 2 (section 4.2). They begin as a float32 copy and stand in
 * for the loaded weights while the part hangs in the model.
 */
export class WholeUNet implements TrainedPart {
  private constructor(readonly weights: readonly TrainableWeight[]) {}

  /** @param unet loaded, with nothing hanging in it; it keeps its weights */
  static copyOf(unet: UNet2DConditionModel): WholeUNet {
    return new WholeUNet([...unet.parameters().values()].map(copyOf));
  }

  /**
   * The same, one weight after another, and frees the model's own: it runs with the part hanging in it only, until it is
   * loaded again.
   */
  static takenFrom(unet: UNet2DConditionModel): WholeUNet {
    const weights = [...unet.parameters().values()].map((parameter) => {
      const weight = copyOf(parameter);
      parameter.dispose();
      return weight;
    });
    giveIdleBuffersBack();
    return new WholeUNet(weights);
  }

  get parameterCount(): number {
    return this.weights.reduce((sum, { tensor }) => sum + tensor.size, 0);
  }

  attach(unet: UNet2DConditionModel): () => void {
    return this.#standIn(unet, ({ tensor }) => ({ tensor, own: false }));
  }

  stack(unet: UNet2DConditionModel, strength: number): () => void {
    return this.#standIn(unet, ({ tensor }, parameter) => {
      // To the bit what a run's own samples were made with.
      if (strength === 1 && !parameter.standIn) return { tensor, own: false };
      const sum = tf.tidy(() => {
        const base = weightValues(parameter.loaded);
        return tf.add(weightValues(parameter), tf.mul(tf.sub(tensor, base), strength));
      });
      return { tensor: sum, own: true };
    });
  }

  dispose(): void {
    for (const weight of this.weights) weight.dispose();
  }

  /** @param tensorOf what stands in; `own`: freed when it is taken out */
  #standIn(
    unet: UNet2DConditionModel,
    tensorOf: (
      weight: TrainableWeight,
      parameter: Parameter,
    ) => { readonly tensor: tf.Tensor; readonly own: boolean },
  ): () => void {
    const parameters = unet.parameters();
    const held = this.weights.map((weight) => {
      const parameter = parameters.get(weight.name);
      if (parameter && parameter.shape.join() === weight.shape.join()) return { weight, parameter };
      throw new InvalidInputError(
        `The model has no weight "${weight.name}" of ${weight.shape.join(' x ')}: the run is of another model.`,
      );
    });
    const undo = held.map(({ weight, parameter }) => {
      const { tensor, own } = tensorOf(weight, parameter);
      const before = parameter.standIn;
      parameter.standIn = tensor;
      return () => {
        parameter.standIn = before;
        if (own) tensor.dispose();
      };
    });
    return () => {
      for (const step of undo) step();
    };
  }
}

function copyOf(parameter: Parameter): TrainableWeight {
  return new TrainableWeight(
    parameter.name,
    tf.tidy(() => tf.clone(weightValues(parameter))),
  );
}
