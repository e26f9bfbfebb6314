import * as tf from '@tensorflow/tfjs-core';
import { InvalidInputError } from '../common/errors';
import { weightValues } from '../gpu/kernels';
import type { UNet2DConditionModel } from '../models/unet-2d-condition';
import type { Parameter } from '../nn';
import { TrainableWeight } from './trainable-weight';
import type { TrainedPart } from './trained-part';

/**
 * Every weight of a UNet, trained as the paper trains Tango 2 (section 4.2). They begin as a float32 copy and stand in
 * for the loaded weights while the part hangs in the model; those stay as they were, half precision included, and are
 * the reference: no third copy.
 */
export class WholeUNet implements TrainedPart {
  private constructor(readonly weights: readonly TrainableWeight[]) {}

  /** @param unet loaded, with nothing hanging in it */
  static copyOf(unet: UNet2DConditionModel): WholeUNet {
    const weights = [...unet.parameters()].map(([name, parameter]) => {
      const values = tf.tidy(() => tf.clone(weightValues(parameter)));
      return new TrainableWeight(name, values);
    });
    return new WholeUNet(weights);
  }

  get parameterCount(): number {
    return this.weights.reduce((sum, { tensor }) => sum + tensor.size, 0);
  }

  attach(unet: UNet2DConditionModel): () => void {
    return this.#standIn(unet, ({ tensor }) => ({ tensor, own: false }));
  }

  stack(unet: UNet2DConditionModel, strength: number): () => void {
    return this.#standIn(unet, ({ tensor }, parameter, base) => {
      // To the bit what a run's own samples were made with.
      if (strength === 1 && !parameter.standIn) return { tensor, own: false };
      const sum = tf.tidy(() =>
        tf.add(weightValues(parameter), tf.mul(tf.sub(tensor, weightValues(base)), strength)),
      );
      return { tensor: sum, own: true };
    });
  }

  /** Activations are not computed again for it: see `checkTrainingRecipe`. */
  weightsOf(): readonly tf.Tensor[] {
    return [];
  }

  dispose(): void {
    for (const weight of this.weights) weight.dispose();
  }

  /** @param tensorOf what stands in; `own`: freed when it is taken out. `base`: the loaded value */
  #standIn(
    unet: UNet2DConditionModel,
    tensorOf: (
      weight: TrainableWeight,
      parameter: Parameter,
      base: Pick<Parameter, 'tensor' | 'dtype' | 'shape'>,
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
      const before = parameter.standIn;
      parameter.standIn = null;
      const { tensor: loaded, dtype, shape } = parameter;
      parameter.standIn = before;
      const { tensor, own } = tensorOf(weight, parameter, { tensor: loaded, dtype, shape });
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
