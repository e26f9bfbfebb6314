import * as tf from '@tensorflow/tfjs-core';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { UNet2DConditionModel } from '../../models/unet-2d-condition';
import { LoraAdapter } from '../../training/lora/lora-adapter';
import { type StepMemory, stepMemory } from '../../training/training-memory';
import type { TrainingRecipe } from '../../training/training-recipe';
import type { TrainEstimate } from '../protocol-training';

/** WebAssembly's memory ends here; a GPU's size is not told to pages. */
const WASM_LIMIT_BYTES = 2 ** 32;
/** What GPUs of ordinary laptops spare a browser: beyond it the studio advises, and does not refuse. */
const MODEST_GPU_BYTES = 4e9;
/** Share of the whole from which on a saving is advised. */
const WORTH_IT = 0.05;

function adapterParameters(unet: UNet2DConditionModel, { lora, seed }: TrainingRecipe): number {
  const adapter = LoraAdapter.create(unet.adaptableLayers(), lora, seed);
  const { parameterCount } = adapter;
  adapter.dispose();
  return parameterCount;
}

/** About what a run will take, by part, with advice when that is more than there is. */
export function estimateTraining(
  pipeline: TangoPipeline,
  recipe: TrainingRecipe,
  durationSeconds: number,
): TrainEstimate {
  const { unet } = pipeline.denoiser;
  const [, channels, height, width] = pipeline.clipSize(durationSeconds).latentShape;
  const parameterCount =
    recipe.trains === 'unet'
      ? [...unet.parameters().values()].reduce((sum, { elementCount }) => sum + elementCount, 0)
      : adapterParameters(unet, recipe);
  const sizesOf = (one: TrainingRecipe): StepMemory =>
    stepMemory(unet.config, one, {
      latentShape: [channels, height, width],
      adapterParameters: parameterCount,
    });
  const sizes = sizesOf(recipe);
  const whole = recipe.trains === 'unet';
  const modelBytes = pipeline.components.reduce(
    // Where every weight is trained the frozen UNet is not there: its errors are measured before.
    (sum, { name, bytes }) => (whole && name === 'unet' ? sum : sum + bytes),
    0,
  );
  const parts = [
    { label: whole ? 'The rest of the model, frozen' : 'Model, frozen', bytes: modelBytes },
    {
      label: `${whole ? 'Trained UNet' : 'Adapter'}, its gradients and moments`,
      bytes: sizes.adapterBytes,
    },
    { label: recipe.recompute ? 'Results of the layers' : 'Activations', bytes: sizes.activationBytes },
    { label: 'The largest layer at work', bytes: sizes.workBytes },
    { label: 'Kept for the next step', bytes: sizes.idleBytes },
  ];
  const totalBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const limitBytes = tf.getBackend() === 'wasm' ? WASM_LIMIT_BYTES : null;
  const tooMuch = totalBytes > (limitBytes ?? MODEST_GPU_BYTES);
  const saved = bytesOf(sizes) - bytesOf(sizesOf({ ...recipe, recompute: true }));
  const advice = tooMuch
    ? [
        ...(whole
          ? [
              'Train a LoRA: the whole UNet takes four float32 copies of itself, for weights, gradients and moments.',
            ]
          : []),
        ...(saved > WORTH_IT * totalBytes
          ? [
              `Turn on "Compute activations again": about ${(saved / 1e9).toFixed(1)} GB less, and it changes no result.`,
            ]
          : []),
        ...(recipe.pairsPerPass > 1
          ? ['Lower the pairs in memory to 1: the gradients of a step are added up, and change no result.']
          : []),
        'Use shorter clips: activations grow with their length.',
        ...(recipe.trains === 'lora' && recipe.lora.rank > 8 ? ['Lower the rank of the adapter.'] : []),
      ]
    : [];
  return { parts, totalBytes, limitBytes, parameterCount, advice };
}

function bytesOf(sizes: StepMemory): number {
  return Object.values(sizes).reduce((sum, bytes) => sum + bytes, 0);
}
