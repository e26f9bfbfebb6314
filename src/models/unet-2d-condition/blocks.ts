import * as tf from '@tensorflow/tfjs-core';
import type { ParameterScope } from '../../nn';
import type { Attention } from './attention';
import type { EncoderStates } from './encoder-states';
import { Downsample2D, Upsample2D } from './resample';
import { ResnetBlock2D, type ResnetBlock2DOptions } from './resnet-block';
import { runTransformers, Transformer2DModel, type Transformer2DOptions } from './transformer-2d';

/*
 * The UNet's blocks. `forward` depends on its arguments and the parameters only, so that a trainer can keep a block's
 * inputs and run it again in the backward pass.
 */

export interface BlockOptions {
  readonly resnet: ResnetBlock2DOptions;
  /** Those behind each resnet: none in DownBlock2D, UpBlock2D and UNetMidBlock2D; AudioLDM 2 has several. */
  readonly transformers: readonly Transformer2DOptions[];
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
  /** Layer by layer. */
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

  /** Those that run behind a resnet. */
  transformersOf(layer: number): readonly Transformer2DModel[] {
    return layerOf(this.attentions, this.resnets.length, layer);
  }

  /**
   * @param input [B, H, W, inChannels]
   * @param temb activated time embedding, [B or 1, timeEmbedDim]
   */
  forward(input: tf.Tensor4D, temb: tf.Tensor2D, encoder: EncoderStates | null): DownBlockOutput {
    const skips: tf.Tensor4D[] = [];
    let hidden = input;
    this.resnets.forEach((resnet, layer) => {
      hidden = runLayer(hidden, resnet, this.transformersOf(layer), temb, encoder);
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
  /** Layer by layer. */
  readonly attentions: readonly Transformer2DModel[];

  constructor(
    params: ParameterScope,
    channels: number,
    { resnet, transformers }: Omit<BlockOptions, 'layers'>,
  ) {
    const layers = transformers.length > 0 ? 1 : 0;
    this.attentions = buildTransformers(params, { resnet, transformers, layers }, channels);
    this.resnets = buildResnets(
      params,
      { resnet, transformers, layers: layers + 1 },
      () => channels,
      channels,
    );
  }

  /** Those that run before a resnet. */
  transformersOf(layer: number): readonly Transformer2DModel[] {
    return layer === 0 ? [] : this.attentions;
  }

  crossAttentions(): readonly Attention[] {
    return this.attentions.flatMap((transformer) => transformer.crossAttentions());
  }

  /** @param input [B, H, W, C] @returns [B, H, W, C] */
  forward(input: tf.Tensor4D, temb: tf.Tensor2D, encoder: EncoderStates | null): tf.Tensor4D {
    return tf.tidy(() =>
      this.resnets.reduce((hidden, resnet, layer) => {
        return resnet.forward(runTransformers(hidden, this.transformersOf(layer), encoder), temb);
      }, input),
    );
  }
}

/** CrossAttnUpBlock2D and UpBlock2D. */
export class UpBlock2D {
  readonly resnets: readonly ResnetBlock2D[];
  /** Layer by layer. */
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

  /** Those that run behind a resnet. */
  transformersOf(layer: number): readonly Transformer2DModel[] {
    return layerOf(this.attentions, this.resnets.length, layer);
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
        hidden = runLayer(joined, resnet, this.transformersOf(layer), temb, encoder);
        joined.dispose();
      });
      return this.upsampler ? this.upsampler.forward(hidden, upsampleSize) : hidden;
    });
  }
}

function runLayer(
  input: tf.Tensor4D,
  resnet: ResnetBlock2D,
  transformers: readonly Transformer2DModel[],
  temb: tf.Tensor2D,
  encoder: EncoderStates | null,
): tf.Tensor4D {
  const convolved = resnet.forward(input, temb);
  const attended = runTransformers(convolved, transformers, encoder);
  if (attended !== convolved) convolved.dispose();
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
  { layers, transformers }: BlockOptions,
  channels: number,
): readonly Transformer2DModel[] {
  return Array.from({ length: layers }, () => transformers)
    .flat()
    .map((options, i) => new Transformer2DModel(params.child(`attentions.${i}`), channels, options));
}

function layerOf(
  attentions: readonly Transformer2DModel[],
  layers: number,
  layer: number,
): readonly Transformer2DModel[] {
  const perLayer = attentions.length / layers;
  return attentions.slice(layer * perLayer, (layer + 1) * perLayer);
}
