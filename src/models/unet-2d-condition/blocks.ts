import * as tf from '@tensorflow/tfjs-core';
import type { ParameterScope } from '../../nn';
import type { Attention } from './attention';
import type { EncoderStates } from './encoder-states';
import { Downsample2D, Upsample2D } from './resample';
import { ResnetBlock2D, type ResnetBlock2DOptions } from './resnet-block';
import { Transformer2DModel, type Transformer2DOptions } from './transformer-2d';

/*
 * The UNet's blocks. `forward` depends on its arguments and the parameters only, so that a trainer can keep a block's
 * inputs and run it again in the backward pass.
 */

export interface BlockOptions {
  readonly resnet: ResnetBlock2DOptions;
  /** Null in DownBlock2D, UpBlock2D and UNetMidBlock2D: no transformer after the resnets. */
  readonly transformer: Transformer2DOptions | null;
  readonly layers: number;
}

export interface DownBlockOutput {
  readonly hidden: tf.Tensor4D;
  /** What the up blocks take later: each layer's output and, last, the downsampled one, which is `hidden` itself. */
  readonly skips: readonly tf.Tensor4D[];
}

/** CrossAttnDownBlock2D and DownBlock2D. */
export class DownBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly attentions: readonly Transformer2DModel[];
  readonly downsampler: Downsample2D | null;

  /** @param downsamplePadding null for the coarsest level, which does not downsample. */
  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    options: BlockOptions,
    downsamplePadding: number | null,
  ) {
    this.resnets = buildResnets(
      params,
      options,
      (layer) => (layer === 0 ? inChannels : outChannels),
      outChannels,
    );
    this.attentions = buildTransformers(params, options, outChannels);
    this.downsampler =
      downsamplePadding === null
        ? null
        : new Downsample2D(params.child('downsamplers.0'), outChannels, downsamplePadding);
  }

  crossAttentions(): readonly Attention[] {
    return this.attentions.flatMap((transformer) => transformer.crossAttentions());
  }

  /**
   * @param input [B, H, W, inChannels]
   * @param temb activated time embedding, [B or 1, timeEmbedDim]
   */
  forward(input: tf.Tensor4D, temb: tf.Tensor2D, encoder: EncoderStates | null): DownBlockOutput {
    const skips: tf.Tensor4D[] = [];
    let hidden = input;
    this.resnets.forEach((resnet, layer) => {
      hidden = runLayer(hidden, resnet, this.attentions[layer], temb, encoder);
      skips.push(hidden);
    });
    if (this.downsampler) {
      hidden = this.downsampler.forward(hidden);
      skips.push(hidden);
    }
    return { hidden, skips };
  }
}

/** UNetMidBlock2DCrossAttn (resnet, transformer, resnet) and UNetMidBlock2D (one resnet). */
export class MidBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly attentions: readonly Transformer2DModel[];

  constructor(
    params: ParameterScope,
    channels: number,
    { resnet, transformer }: Omit<BlockOptions, 'layers'>,
  ) {
    const layers = transformer ? 1 : 0;
    this.attentions = buildTransformers(params, { resnet, transformer, layers }, channels);
    this.resnets = buildResnets(
      params,
      { resnet, transformer, layers: layers + 1 },
      () => channels,
      channels,
    );
  }

  crossAttentions(): readonly Attention[] {
    return this.attentions.flatMap((transformer) => transformer.crossAttentions());
  }

  /** @param input [B, H, W, C] @returns [B, H, W, C] */
  forward(input: tf.Tensor4D, temb: tf.Tensor2D, encoder: EncoderStates | null): tf.Tensor4D {
    return tf.tidy(() =>
      this.resnets.reduce((hidden, resnet, layer) => {
        const transformer = this.attentions[layer - 1];
        return resnet.forward(transformer ? transformer.forward(hidden, encoder) : hidden, temb);
      }, input),
    );
  }
}

/** CrossAttnUpBlock2D and UpBlock2D. */
export class UpBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  readonly attentions: readonly Transformer2DModel[];
  readonly upsampler: Upsample2D | null;

  /**
   * @param skipChannels channels of the skip that each layer takes
   * @param upsamples false for the finest level
   */
  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    skipChannels: readonly number[],
    options: BlockOptions,
    upsamples: boolean,
  ) {
    this.resnets = buildResnets(
      params,
      options,
      (layer) => (layer === 0 ? inChannels : outChannels) + skipChannels[layer]!,
      outChannels,
    );
    this.attentions = buildTransformers(params, options, outChannels);
    this.upsampler = upsamples ? new Upsample2D(params.child('upsamplers.0'), outChannels) : null;
  }

  crossAttentions(): readonly Attention[] {
    return this.attentions.flatMap((transformer) => transformer.crossAttentions());
  }

  /**
   * @param input [B, H, W, inChannels]
   * @param skips one a layer, in the order in which the layers take them; each [B, H, W, skipChannels[layer]]
   * @param upsampleSize height and width of the result when they are not twice the input's
   */
  forward(
    input: tf.Tensor4D,
    skips: readonly tf.Tensor4D[],
    temb: tf.Tensor2D,
    encoder: EncoderStates | null,
    upsampleSize?: readonly [number, number],
  ): tf.Tensor4D {
    return tf.tidy(() => {
      let hidden = input;
      this.resnets.forEach((resnet, layer) => {
        const joined = tf.concat([hidden, skips[layer]!], 3);
        if (hidden !== input) hidden.dispose();
        hidden = runLayer(joined, resnet, this.attentions[layer], temb, encoder);
        joined.dispose();
      });
      return this.upsampler ? this.upsampler.forward(hidden, upsampleSize) : hidden;
    });
  }
}

function runLayer(
  input: tf.Tensor4D,
  resnet: ResnetBlock2D,
  transformer: Transformer2DModel | undefined,
  temb: tf.Tensor2D,
  encoder: EncoderStates | null,
): tf.Tensor4D {
  const convolved = resnet.forward(input, temb);
  if (!transformer) return convolved;
  const attended = transformer.forward(convolved, encoder);
  convolved.dispose();
  return attended;
}

function buildResnets(
  params: ParameterScope,
  { layers, resnet }: BlockOptions,
  inChannels: (layer: number) => number,
  outChannels: number,
): readonly ResnetBlock2D[] {
  return Array.from(
    { length: layers },
    (_, layer) => new ResnetBlock2D(params.child(`resnets.${layer}`), inChannels(layer), outChannels, resnet),
  );
}

function buildTransformers(
  params: ParameterScope,
  { layers, transformer }: BlockOptions,
  channels: number,
): readonly Transformer2DModel[] {
  if (!transformer) return [];
  return Array.from(
    { length: layers },
    (_, layer) => new Transformer2DModel(params.child(`attentions.${layer}`), channels, transformer),
  );
}
