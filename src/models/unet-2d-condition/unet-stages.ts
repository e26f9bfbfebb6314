import * as tf from '@tensorflow/tfjs-core';
import type { Attention } from './attention';
import type { DownBlock2D, MidBlock2D, UpBlock2D } from './blocks';
import type { EncoderStates } from './encoder-states';
import { type Downsample2D, Upsample2D } from './resample';
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
  /** Reads the time embedding. */
  readonly timed: boolean;
  readonly crossAttentions: readonly Attention[];
  /** Of its modules in the checkpoint: every weight that it runs with is below one of them. */
  readonly paths: readonly string[];
  run(hidden: tf.Tensor4D, skip: tf.Tensor4D | null, context: StageContext): tf.Tensor4D;
}

/** What lies around the stages, as their `paths`. */
export const AROUND_STAGES = {
  time: ['time_embedding'],
  stem: ['conv_in'],
  head: ['conv_norm_out', 'conv_out'],
} as const;

interface Layer {
  readonly resnet: ResnetBlock2D;
  readonly transformers: readonly Transformer2DModel[];
  readonly paths: readonly string[];
}

/** The stages in the order in which a pass runs them. */
export function stagesOf(
  downBlocks: readonly DownBlock2D[],
  midBlock: MidBlock2D,
  upBlocks: readonly UpBlock2D[],
): readonly UNetStage[] {
  return [
    ...downBlocks.flatMap((block, i) => [
      ...layersOf(block, `down_blocks.${i}`).map((layer) =>
        layerStage(layer, { takesSkip: false, givesSkip: true }),
      ),
      ...resampleStages(block.downsampler, `down_blocks.${i}.downsamplers.0`, {
        givesSkip: true,
        upsamples: false,
      }),
    ]),
    ...layersOf(midBlock, 'mid_block').map((layer) => midStage(layer)),
    ...upBlocks.flatMap((block, i) => [
      ...layersOf(block, `up_blocks.${i}`).map((layer) =>
        layerStage(layer, { takesSkip: true, givesSkip: false }),
      ),
      ...resampleStages(block.upsampler, `up_blocks.${i}.upsamplers.0`, {
        givesSkip: false,
        upsamples: true,
      }),
    ]),
  ];
}

function layersOf(block: DownBlock2D | MidBlock2D | UpBlock2D, path: string): readonly Layer[] {
  return block.resnets.map((resnet, i) => {
    const transformers = block.transformersOf(i);
    return {
      resnet,
      transformers,
      paths: [
        `${path}.resnets.${i}`,
        ...transformers.map((transformer) => `${path}.attentions.${block.attentions.indexOf(transformer)}`),
      ],
    };
  });
}

/** A resnet and the transformers behind it. */
function layerStage(
  { resnet, transformers, paths }: Layer,
  skips: Pick<UNetStage, 'takesSkip' | 'givesSkip'>,
): UNetStage {
  return {
    ...skips,
    upsamples: false,
    timed: true,
    crossAttentions: transformers.flatMap((transformer) => transformer.crossAttentions()),
    paths,
    run: (hidden, skip, { temb, encoder }) =>
      tf.tidy(() => {
        const input = skip ? tf.concat([hidden, skip], 3) : hidden;
        return runTransformers(resnet.forward(input, temb), transformers, encoder);
      }),
  };
}

/** In the middle the transformers come first. */
function midStage({ resnet, transformers, paths }: Layer): UNetStage {
  return {
    takesSkip: false,
    givesSkip: false,
    upsamples: false,
    timed: true,
    crossAttentions: transformers.flatMap((transformer) => transformer.crossAttentions()),
    paths,
    run: (hidden, _skip, { temb, encoder }) =>
      tf.tidy(() => resnet.forward(runTransformers(hidden, transformers, encoder), temb)),
  };
}

/** One, or none at the end of a side. */
function resampleStages(
  sampler: Downsample2D | Upsample2D | null,
  path: string,
  kind: Pick<UNetStage, 'givesSkip' | 'upsamples'>,
): readonly UNetStage[] {
  if (!sampler) return [];
  return [
    {
      takesSkip: false,
      ...kind,
      timed: false,
      crossAttentions: [],
      paths: [path],
      run: (hidden, _skip, { size }) =>
        sampler instanceof Upsample2D ? sampler.forward(hidden, size) : sampler.forward(hidden),
    },
  ];
}
