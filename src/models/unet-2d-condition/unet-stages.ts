import * as tf from '@tensorflow/tfjs-core';
import type { Attention } from './attention';
import type { DownBlock2D, MidBlock2D, UpBlock2D } from './blocks';
import type { EncoderStates } from './encoder-states';
import { type Downsample2D, Upsample2D } from './resample';
import type { ResnetBlock2D } from './resnet-block';
import type { Transformer2DModel } from './transformer-2d';

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
  readonly transformer: Transformer2DModel | undefined;
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
    ...midBlock.resnets.map((resnet, i) =>
      midStage({
        resnet,
        transformer: midBlock.attentions[i - 1],
        paths: [...(i > 0 ? [`mid_block.attentions.${i - 1}`] : []), `mid_block.resnets.${i}`],
      }),
    ),
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

function layersOf({ resnets, attentions }: DownBlock2D | UpBlock2D, path: string): readonly Layer[] {
  return resnets.map((resnet, i) => ({
    resnet,
    transformer: attentions[i],
    paths: [`${path}.resnets.${i}`, `${path}.attentions.${i}`],
  }));
}

/** A resnet and the transformer behind it. */
function layerStage(
  { resnet, transformer, paths }: Layer,
  skips: Pick<UNetStage, 'takesSkip' | 'givesSkip'>,
): UNetStage {
  return {
    ...skips,
    upsamples: false,
    timed: true,
    crossAttentions: transformer?.crossAttentions() ?? [],
    paths,
    run: (hidden, skip, { temb, encoder }) =>
      tf.tidy(() => {
        const input = skip ? tf.concat([hidden, skip], 3) : hidden;
        const convolved = resnet.forward(input, temb);
        return transformer ? transformer.forward(convolved, encoder) : convolved;
      }),
  };
}

/** In the middle the transformer comes first. */
function midStage({ resnet, transformer, paths }: Layer): UNetStage {
  return {
    takesSkip: false,
    givesSkip: false,
    upsamples: false,
    timed: true,
    crossAttentions: transformer?.crossAttentions() ?? [],
    paths,
    run: (hidden, _skip, { temb, encoder }) =>
      tf.tidy(() => resnet.forward(transformer ? transformer.forward(hidden, encoder) : hidden, temb)),
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
