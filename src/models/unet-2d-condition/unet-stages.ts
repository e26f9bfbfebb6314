import * as tf from '@tensorflow/tfjs-core';
import type { AdaptableLayer } from '../../nn';
import type { Attention } from './attention';
import type { DownBlock2D, MidBlock2D, UpBlock2D } from './blocks';
import type { EncoderStates } from './encoder-states';
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
  readonly crossAttentions: readonly Attention[];
  /** What a low-rank adapter may attach to. */
  readonly adaptableLayers: readonly AdaptableLayer[];
  run(hidden: tf.Tensor4D, skip: tf.Tensor4D | null, context: StageContext): tf.Tensor4D;
}

interface Layer {
  readonly resnet: ResnetBlock2D;
  readonly transformer: Transformer2DModel | undefined;
}

/** The stages in the order in which a pass runs them. */
export function stagesOf(
  downBlocks: readonly DownBlock2D[],
  midBlock: MidBlock2D,
  upBlocks: readonly UpBlock2D[],
): readonly UNetStage[] {
  return [
    ...downBlocks.flatMap(({ resnets, attentions, downsampler }) => [
      ...resnets.map((resnet, i) =>
        layerStage({ resnet, transformer: attentions[i] }, { takesSkip: false, givesSkip: true }),
      ),
      ...(downsampler
        ? [
            resampleStage((hidden) => downsampler.forward(hidden), {
              givesSkip: true,
              upsamples: false,
              adaptableLayers: downsampler.adaptableLayers(),
            }),
          ]
        : []),
    ]),
    ...midBlock.resnets.map((resnet, i) => midStage({ resnet, transformer: midBlock.attentions[i - 1] })),
    ...upBlocks.flatMap(({ resnets, attentions, upsampler }) => [
      ...resnets.map((resnet, i) =>
        layerStage({ resnet, transformer: attentions[i] }, { takesSkip: true, givesSkip: false }),
      ),
      ...(upsampler
        ? [
            resampleStage((hidden, { size }) => upsampler.forward(hidden, size), {
              givesSkip: false,
              upsamples: true,
              adaptableLayers: upsampler.adaptableLayers(),
            }),
          ]
        : []),
    ]),
  ];
}

/** A resnet and the transformer behind it. */
function layerStage(
  { resnet, transformer }: Layer,
  skips: Pick<UNetStage, 'takesSkip' | 'givesSkip'>,
): UNetStage {
  return {
    ...skips,
    ...partsOf({ resnet, transformer }),
    upsamples: false,
    run: (hidden, skip, { temb, encoder }) =>
      tf.tidy(() => {
        const input = skip ? tf.concat([hidden, skip], 3) : hidden;
        const convolved = resnet.forward(input, temb);
        return transformer ? transformer.forward(convolved, encoder) : convolved;
      }),
  };
}

/** In the middle the transformer comes first. */
function midStage({ resnet, transformer }: Layer): UNetStage {
  return {
    takesSkip: false,
    givesSkip: false,
    upsamples: false,
    ...partsOf({ resnet, transformer }),
    run: (hidden, _skip, { temb, encoder }) =>
      tf.tidy(() => resnet.forward(transformer ? transformer.forward(hidden, encoder) : hidden, temb)),
  };
}

function resampleStage(
  run: (hidden: tf.Tensor4D, context: StageContext) => tf.Tensor4D,
  kind: Pick<UNetStage, 'givesSkip' | 'upsamples' | 'adaptableLayers'>,
): UNetStage {
  return {
    takesSkip: false,
    ...kind,
    crossAttentions: [],
    run: (hidden, _skip, context) => run(hidden, context),
  };
}

function partsOf({ resnet, transformer }: Layer): Pick<UNetStage, 'crossAttentions' | 'adaptableLayers'> {
  return {
    crossAttentions: transformer?.crossAttentions() ?? [],
    adaptableLayers: [...(transformer?.adaptableLayers() ?? []), ...resnet.adaptableLayers()],
  };
}
