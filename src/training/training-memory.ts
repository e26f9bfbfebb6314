import type { UNet2DConditionConfig } from '../models/unet-2d-condition';
import type { TrainingRecipe } from './training-recipe';

/**
 * A rough estimate of what a step of training keeps, from the model's sizes alone: nothing is run. The numbers of images
 * for each layer are read off the layers' ops and are not yet held against a measured step.
 */

export interface StepSize {
  /** [C, H, W] of the latents. */
  readonly latentShape: readonly [number, number, number];
  readonly adapterParameters: number;
}

export interface StepMemory {
  /** Weights, gradients, both moments, and the average where there is one: float32 each. */
  readonly adapterBytes: number;
  /** What lies between forward and backward pass. */
  readonly activationBytes: number;
  /** What the largest layer needs while it is computed. */
  readonly workBytes: number;
}

const FLOAT = 4;
/** Images of a resnet's width that its tape keeps, beside one of its input's. */
const RESNET_IMAGES = 8;
/** Images of a transformer's width that its tape keeps: projections, heads, the feed-forward layer's eightfold one. */
const TRANSFORMER_IMAGES = 52;
/** The backward pass of a layer holds gradients beside what the tape kept. */
const BACKWARD_SHARE = 0.5;

interface LayerBytes {
  readonly tape: number;
  readonly result: number;
}

export function stepMemory(
  config: UNet2DConditionConfig,
  recipe: TrainingRecipe,
  { latentShape, adapterParameters }: StepSize,
): StepMemory {
  const [, height, width] = latentShape;
  // Winners and losers together.
  const images = 2 * recipe.pairsPerPass;
  const layers = layersOf(config).map(({ level, inChannels, channels, attends }): LayerBytes => {
    const pixels = Math.ceil(height / 2 ** level) * Math.ceil(width / 2 ** level) * images;
    const tape = inChannels + RESNET_IMAGES * channels + (attends ? TRANSFORMER_IMAGES * channels : 0);
    return { tape: pixels * tape * FLOAT, result: pixels * channels * FLOAT };
  });
  const sum = (key: keyof LayerBytes): number => layers.reduce((total, layer) => total + layer[key], 0);
  const largest = Math.max(...layers.map(({ tape }) => tape));
  const copies = recipe.emaDecay > 0 ? 5 : 4;
  return {
    adapterBytes: copies * FLOAT * adapterParameters,
    activationBytes: recipe.recompute ? sum('result') : sum('tape'),
    workBytes: largest * (recipe.recompute ? 1 + BACKWARD_SHARE : BACKWARD_SHARE),
  };
}

interface LayerSize {
  readonly level: number;
  readonly inChannels: number;
  readonly channels: number;
  readonly attends: boolean;
}

function layersOf({
  blockOutChannels,
  layersPerBlock,
  downBlockTypes,
  upBlockTypes,
}: UNet2DConditionConfig): readonly LayerSize[] {
  const levels = blockOutChannels.length;
  const at = (level: number): number => blockOutChannels[level] ?? 0;
  const down = blockOutChannels.flatMap((channels, level) =>
    Array.from({ length: layersPerBlock[level] ?? 0 }, (_, i) => ({
      level,
      inChannels: i === 0 ? at(Math.max(level - 1, 0)) : channels,
      channels,
      attends: downBlockTypes[level] === 'CrossAttnDownBlock2D',
    })),
  );
  const coarsest = levels - 1;
  const middle = { level: coarsest, inChannels: at(coarsest), channels: at(coarsest) };
  const up = upBlockTypes.flatMap((type, index) => {
    const level = levels - 1 - index;
    const channels = at(level);
    return Array.from({ length: (layersPerBlock[level] ?? 0) + 1 }, () => ({
      level,
      inChannels: 2 * channels,
      channels,
      attends: type === 'CrossAttnUpBlock2D',
    }));
  });
  return [...down, { ...middle, attends: true }, { ...middle, attends: false }, ...up];
}
