import type * as tf from '@tensorflow/tfjs-core';
import { Conv2d, GroupNorm, type ParameterScope, runInSequence } from '../../nn';
import { Downsample2D, ResnetBlock2D, Upsample2D } from '../unet-2d-condition';
import { MidBlockAttention } from './attention';
import type { AutoencoderKLConfig } from './config';

/** Every norm of diffusers' autoencoder has this. */
const EPS = 1e-6;

interface Layer {
  forward(x: tf.Tensor4D): tf.Tensor4D;
}

/** diffusers' `Encoder`: [B, H, W, inChannels] -> [B, H / 2^(levels-1), W / 2^(levels-1), 2 · latentChannels]. */
export class Encoder implements Layer {
  readonly #layers: readonly Layer[];

  constructor(params: ParameterScope, config: AutoencoderKLConfig) {
    const { blockOutChannels: widths, layersPerBlock, latentChannels } = config;
    const deepest = widths.at(-1)!;
    this.#layers = [
      new Conv2d(params.child('conv_in'), config.inChannels, widths[0]!, 3, { padding: 1 }),
      ...widths.flatMap((width, level) => {
        const block = params.child(`down_blocks.${level}`);
        const resnets = resnetChain(block, widths[Math.max(0, level - 1)]!, width, layersPerBlock, config);
        return level === widths.length - 1
          ? resnets
          : [...resnets, new Downsample2D(block.child('downsamplers.0'), width, 0)];
      }),
      ...midBlock(params.child('mid_block'), deepest, config),
      new OutputConv(params, deepest, 2 * latentChannels, config),
    ];
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    return runInSequence(x, this.#layers);
  }
}

/** diffusers' `Decoder`: [B, H, W, latentChannels] -> [B, H · 2^(levels-1), W · 2^(levels-1), outChannels]. */
export class Decoder implements Layer {
  readonly #layers: readonly Layer[];

  constructor(params: ParameterScope, config: AutoencoderKLConfig) {
    const widths = config.blockOutChannels.toReversed();
    const deepest = widths[0]!;
    this.#layers = [
      new Conv2d(params.child('conv_in'), config.latentChannels, deepest, 3, { padding: 1 }),
      ...midBlock(params.child('mid_block'), deepest, config),
      ...widths.flatMap((width, level) => {
        const block = params.child(`up_blocks.${level}`);
        const before = widths[Math.max(0, level - 1)]!;
        const resnets = resnetChain(block, before, width, config.layersPerBlock + 1, config);
        return level === widths.length - 1
          ? resnets
          : [...resnets, new Upsample2D(block.child('upsamplers.0'), width)];
      }),
      new OutputConv(params, widths.at(-1)!, config.outChannels, config),
    ];
  }

  /** @param afterLayer see `runInSequence` */
  forward(x: tf.Tensor4D, afterLayer?: () => void): tf.Tensor4D {
    return runInSequence(x, this.#layers, afterLayer);
  }
}

/** conv_norm_out, activation, conv_out. */
class OutputConv implements Layer {
  readonly #norm: GroupNorm;
  readonly #conv: Conv2d;

  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    { normNumGroups }: AutoencoderKLConfig,
  ) {
    this.#norm = new GroupNorm(params.child('conv_norm_out'), inChannels, {
      groups: normNumGroups,
      eps: EPS,
    });
    this.#conv = new Conv2d(params.child('conv_out'), inChannels, outChannels, 3, { padding: 1 });
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    // silu whatever act_fn says, as in diffusers
    return this.#conv.forward(this.#norm.forward(x, 'silu'));
  }
}

/** `count` residual blocks; the first one changes the width. */
function resnetChain(
  params: ParameterScope,
  inChannels: number,
  outChannels: number,
  count: number,
  { normNumGroups, activation }: AutoencoderKLConfig,
): Layer[] {
  return Array.from(
    { length: count },
    (_, layer) =>
      new ResnetBlock2D(
        params.child(`resnets.${layer}`),
        layer === 0 ? inChannels : outChannels,
        outChannels,
        {
          timeEmbedDim: null,
          groups: normNumGroups,
          eps: EPS,
          activation,
          timeScaleShift: 'default',
          outputScaleFactor: 1,
        },
      ),
  );
}

/** Residual block, attention when the config has it, residual block. */
function midBlock(params: ParameterScope, channels: number, config: AutoencoderKLConfig): Layer[] {
  const [first, second] = resnetChain(params, channels, channels, 2, config);
  if (!config.midBlockAddAttention) return [first!, second!];
  const norm = { groups: config.normNumGroups, eps: EPS };
  return [first!, new MidBlockAttention(params.child('attentions.0'), channels, norm), second!];
}
