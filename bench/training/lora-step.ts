import * as tf from '@tensorflow/tfjs-core';
import type { UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { diffusionDpoLoss, rewardMargins } from '../../src/training/diffusion-dpo-loss';
import type { LoraAdapter } from '../../src/training/lora/lora-adapter';
import type { AdamW } from '../../src/training/optimizer/adamw';
import '../../src/training/register-gradients';
import { tapeGradients } from '../../src/training/tape-gradients';

/** One pair, the winner first. */
export interface PairInputs {
  readonly noisy: tf.Tensor4D; // [2, H, W, C]
  readonly target: tf.Tensor4D; // [2, H, W, C]
  readonly text: tf.Tensor3D; // [2, S, D]
  readonly mask: tf.Tensor2D; // [2, S]
  readonly timestep: number;
  readonly beta: number;
}

/**
 * One step of LoRA diffusion-DPO: the reference's pass, a pass with the adapter, its gradients, AdamW. At a rate of 0,
 * which costs what any rate costs and leaves the weights for the next step to be compared.
 *
 * @returns the gradients in the order of the adapter's weights; the caller disposes them
 */
export function loraStep(
  unet: UNet2DConditionModel,
  adapter: LoraAdapter,
  optimizer: AdamW,
  { noisy, target, text, mask, timestep, beta }: PairInputs,
): readonly tf.Tensor[] {
  const predict = (): tf.Tensor4D =>
    tf.tidy(() => unet.forward(noisy, [timestep, timestep], unet.prepareEncoderStates(text, mask)));
  const reference = predict();
  const { value, grads } = adapter.within(unet.adaptableLayers(), () =>
    tapeGradients(
      () => {
        const [predictions, references, targets] = [predict(), reference, target].map((one) =>
          tf.split(one, 2),
        );
        const half = (i: number) => ({
          prediction: predictions![i]!,
          reference: references![i]!,
          target: targets![i]!,
        });
        return diffusionDpoLoss(rewardMargins(half(0), half(1), beta));
      },
      adapter.weights.map(({ tensor }) => tensor),
    ),
  );
  const gradients = grads.map((gradient) => tf.clone(gradient)); // the optimiser frees those that it is given
  optimizer.step(adapter.weights, grads, 0);
  tf.dispose([reference, value]);
  return gradients;
}
