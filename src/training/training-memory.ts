import type { UNet2DConditionConfig } from '../models/unet-2d-condition';
import { CONVOLUTION_TARGETS, FEED_FORWARD_TARGETS } from './lora/lora-config';
import type { TrainingRecipe } from './training-recipe';

/**
 * About what a step of training takes, from the model's sizes alone: nothing is run. The factors are fitted to steps that
 * were counted on a device that does nothing; bench/training/training-memory.test.ts holds the sum to 15 % of the counts.
 */

export interface StepSize {
  /** [C, H, W] of the latents. */
  readonly latentShape: readonly [number, number, number];
  /** Of what is trained. */
  readonly adapterParameters: number;
}

export interface StepMemory {
  /** Weights, gradients, both moments, and the average where there is one: float32 each. */
  readonly adapterBytes: number;
  /** What lies between forward and backward pass, beyond the room that gradients take later. */
  readonly activationBytes: number;
  /** What the largest layer needs while it is computed. */
  readonly workBytes: number;
  /** Buffers that are kept for the next step. */
  readonly idleBytes: number;
}

const FLOAT = 4;

/** Where the tape of the whole model is kept. */
const KEPT = {
  adapterCopies: 3.6,
  /**
   * Images of a layer's width on the tape: of its resnet, more where its convolutions are trained, of its transformer, more
   * where its feed-forward is.
   */
  resnetImages: 7,
  convolutionImages: 10.6,
  transformerImages: 30.2,
  feedForwardImages: 8.35,
  idleShare: 0.431,
};
/** Where each layer runs again: the layers' results and gradients, and the tape of one transformer or trained resnet. */
const RECOMPUTED = {
  adapterCopies: 4.4,
  resnetImages: 1.44,
  convolutionImages: 41.1,
  transformerImages: 56.4,
  feedForwardImages: 28.7,
  idleShare: 0.92,
};
/**
 * Where the whole UNet is trained: weights, gradients, both moments; a share of one copy is at work while the weights are
 * replaced.
 */
const WHOLE = { copies: 4, updateShare: 0.268, idleShare: 0.268 };
const MOST_IDLE_BYTES = 250e6;

export function stepMemory(
  config: UNet2DConditionConfig,
  recipe: TrainingRecipe,
  { latentShape, adapterParameters }: StepSize,
): StepMemory {
  const factors = recipe.recompute ? RECOMPUTED : KEPT;
  const [, height, width] = latentShape;
  // Winners and losers together.
  const images = 2 * recipe.pairsPerPass;
  const whole = recipe.trains === 'unet';
  const trains = (targets: readonly string[]): boolean =>
    recipe.trains === 'unet' || targets.some((name) => recipe.lora.targetModules.includes(name));
  const trainsFeedForward = trains(FEED_FORWARD_TARGETS);
  const convolutionImages = trains(CONVOLUTION_TARGETS) ? factors.convolutionImages : 0;
  const perTransformer = factors.transformerImages + (trainsFeedForward ? factors.feedForwardImages : 0);
  const layers = layersOf(config).map(({ level, channels, heads }) => {
    const pixels = Math.ceil(height / 2 ** level) * Math.ceil(width / 2 ** level);
    const image = FLOAT * images * pixels * channels;
    return {
      image,
      transformer: heads > 0 ? image * perTransformer : 0,
    };
  });
  type Bytes = (typeof layers)[number];
  const sum = (key: keyof Bytes): number => layers.reduce((total, layer) => total + layer[key], 0);
  const most = (key: keyof Bytes): number => Math.max(...layers.map((layer) => layer[key]));
  const copies = (whole ? WHOLE.copies : factors.adapterCopies) + (recipe.emaDecay > 0 ? 1 : 0);
  // A sum of gradients waits while the next pass makes its own.
  const sums = whole && recipe.pairsPerStep > recipe.pairsPerPass ? 1 : 0;
  const oneCopy = FLOAT * adapterParameters;
  const adapterBytes = (copies + sums) * oneCopy;
  const perLayer = most('transformer') + convolutionImages * most('image');
  const all = sum('transformer') + convolutionImages * sum('image');
  const work = recipe.recompute ? perLayer : 0;
  const activations = factors.resnetImages * sum('image') + (recipe.recompute ? 0 : all);
  // On the way back the gradients of all weights come as the activations go.
  const atWork = whole
    ? Math.max(activations + work - oneCopy, WHOLE.updateShare * oneCopy)
    : activations + work;
  const workBytes = Math.min(work, atWork);
  const used = adapterBytes + atWork;
  return {
    adapterBytes,
    activationBytes: atWork - workBytes,
    workBytes,
    idleBytes: Math.min((whole ? WHOLE : factors).idleShare * used, MOST_IDLE_BYTES),
  };
}

interface LayerSize {
  readonly level: number;
  readonly channels: number;
  /** Of its transformer; 0 where it has none. */
  readonly heads: number;
}

function layersOf({
  blockOutChannels,
  layersPerBlock,
  downBlockTypes,
  upBlockTypes,
  numAttentionHeads,
}: UNet2DConditionConfig): readonly LayerSize[] {
  const layer = (level: number, attends: boolean): LayerSize => ({
    level,
    channels: blockOutChannels[level] ?? 0,
    heads: attends ? (numAttentionHeads[level] ?? 0) : 0,
  });
  const down = blockOutChannels.flatMap((_, level) =>
    Array.from({ length: layersPerBlock[level] ?? 0 }, () =>
      layer(level, downBlockTypes[level] === 'CrossAttnDownBlock2D'),
    ),
  );
  const coarsest = blockOutChannels.length - 1;
  const up = upBlockTypes.flatMap((type, index) =>
    Array.from({ length: (layersPerBlock[coarsest - index] ?? 0) + 1 }, () =>
      layer(coarsest - index, type === 'CrossAttnUpBlock2D'),
    ),
  );
  return [...down, layer(coarsest, true), layer(coarsest, false), ...up];
}
