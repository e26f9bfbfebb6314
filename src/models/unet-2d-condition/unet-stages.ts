import * as tf from '@tensorflow/tfjs-core';
import type { AdaptableLayer } from '../../nn';
import type { Attention } from './attention';
import type { DownBlock2D, MidBlock2D, UpBlock2D } from './blocks';
import type { EncoderStates } from './encoder-states';
import type { Downsample2D, Upsample2D } from './resample';
import type { ResnetBlock2D } from './resnet-block';
import { runTransformers, type Transformer2DModel } from './transformer-2d';

/*
 * The UNet cut into its layers, between conv_in and conv_norm_out. A trainer that has no room for every activation keeps
 * the stages' results only, and runs one stage after another again on the way back.
 */

export interface StageContext {
  /** The activated time embedding, [B or 1, timeEmbedDim]. */
  readonly temb: tf.Tensor2D;
  /** With keys and values for the stage's own cross attentions at least. */
  readonly encoder: EncoderStates | null;
  /** Height and width of what comes out, for an upsampler whose level has odd sizes. */
  readonly size?: readonly [number, number] | undefined;
}

/** One layer: [B, H, W, C] -> [B, H', W', C']. */
export interface UNetStage {
  /** Takes the newest skip beside its input. */
  readonly takesSkip: boolean;
  /** Its result is a skip for the way up. */
  readonly givesSkip: boolean;
  /** Its result has the size of the skip that is taken next. */
  readonly upsamples: boolean;
  readonly crossAttentions: readonly Attention[];
  /** What a low-rank adapter may attach to. */
  readonly adaptableLayers: readonly AdaptableLayer[];
  run(hidden: tf.Tensor4D, skip: tf.Tensor4D | null, context: StageContext): tf.Tensor4D;
}

interface Layer {
  readonly resnet: ResnetBlock2D;
  readonly transformers: readonly Transformer2DModel[];
}

/** The stages in the order in which a pass runs them. */
export function stagesOf(
  downBlocks: readonly DownBlock2D[],
  midBlock: MidBlock2D,
  upBlocks: readonly UpBlock2D[],
): readonly UNetStage[] {
  return [
    ...downBlocks.flatMap((block) => [
      ...layersOf(block).map((layer) => layerStage(layer, { takesSkip: false, givesSkip: true })),
      ...(block.downsampler ? [downsampleStage(block.downsampler)] : []),
    ]),
    ...layersOf(midBlock).map((layer) => midStage(layer)),
    ...upBlocks.flatMap((block) => [
      ...layersOf(block).map((layer) => layerStage(layer, { takesSkip: true, givesSkip: false })),
      ...(block.upsampler ? [upsampleStage(block.upsampler)] : []),
    ]),
  ];
}

function layersOf(block: DownBlock2D | MidBlock2D | UpBlock2D): readonly Layer[] {
  return block.resnets.map((resnet, i) => ({ resnet, transformers: block.transformersOf(i) }));
}

/** A resnet and the transformers behind it. */
function layerStage(
  { resnet, transformers }: Layer,
  skips: Pick<UNetStage, 'takesSkip' | 'givesSkip'>,
): UNetStage {
  return {
    ...skips,
    ...partsOf({ resnet, transformers }),
    upsamples: false,
    run: (hidden, skip, { temb, encoder }) =>
      tf.tidy(() => {
        const input = skip ? tf.concat([hidden, skip], 3) : hidden;
        return runTransformers(resnet.forward(input, temb), transformers, encoder);
      }),
  };
}

/** In the middle the transformers come first. */
function midStage({ resnet, transformers }: Layer): UNetStage {
  return {
    takesSkip: false,
    givesSkip: false,
    upsamples: false,
    ...partsOf({ resnet, transformers }),
    run: (hidden, _skip, { temb, encoder }) =>
      tf.tidy(() => resnet.forward(runTransformers(hidden, transformers, encoder), temb)),
  };
}

function downsampleStage(downsampler: Downsample2D): UNetStage {
  return {
    takesSkip: false,
    givesSkip: true,
    upsamples: false,
    crossAttentions: [],
    adaptableLayers: downsampler.adaptableLayers(),
    run: (hidden) => downsampler.forward(hidden),
  };
}

function upsampleStage(upsampler: Upsample2D): UNetStage {
  return {
    takesSkip: false,
    givesSkip: false,
    upsamples: true,
    crossAttentions: [],
    adaptableLayers: upsampler.adaptableLayers(),
    run: (hidden, _skip, { size }) => upsampler.forward(hidden, size),
  };
}

function partsOf({ resnet, transformers }: Layer): Pick<UNetStage, 'crossAttentions' | 'adaptableLayers'> {
  return {
    crossAttentions: transformers.flatMap((transformer) => transformer.crossAttentions()),
    adaptableLayers: [
      ...transformers.flatMap((transformer) => transformer.adaptableLayers()),
      ...resnet.adaptableLayers(),
    ],
  };
}
