import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { InvalidInputError } from '../../common/errors';
import { activate } from '../../gpu/kernels';
import { type AdaptableLayer, Conv2d, GroupNorm, type Parameter, type ParameterScope } from '../../nn';
import type { Attention } from './attention';
import { type BlockOptions, DownBlock2D, MidBlock2D, UpBlock2D } from './blocks';
import { buildClassEmbedder, type ClassEmbedder } from './class-embedding';
import type { UNet2DConditionConfig } from './config';
import { EncoderStates } from './encoder-states';
import { sinusoidalEmbedding, TimestepEmbedding } from './timestep-embedding';
import { stagesOf, type UNetStage } from './unet-stages';

/** Added to the logits of padding tokens; the released models were trained with this number, not with -infinity. */
const MASKED_LOGIT = -10_000;

/** AudioLDM 2's third and fourth transformer behind a resnet look at the second of the prompt's states. */
const LAST_OF_FIRST_PROMPT = 1;

/** What a prompt is to the UNet. */
export interface PromptStates {
  readonly states: tf.Tensor3D; // [B, S, D]
  /** 1 for a token, 0 for padding; left out: all count. */
  readonly mask?: tf.Tensor2D | undefined; // [B, S]
}

export interface UNet2DConditionInputs {
  /** Needed when the config has a class embedding: [B, width], or [B] numbers or indices. */
  readonly classLabels?: tf.Tensor;
}

/**
 * diffusers' UNet2DConditionModel and AudioLDM2UNet2DConditionModel: predicts the noise (or v) of a noisy image from its timestep and a prompt.
 *
 * Images are [B, H, W, C]. For mel latents H is time and W is frequency. Parameter names are the checkpoint's.
 */
export class UNet2DConditionModel {
  readonly downBlocks: readonly DownBlock2D[];
  readonly midBlock: MidBlock2D;
  readonly upBlocks: readonly UpBlock2D[];
  readonly #params: ParameterScope;
  readonly #convIn: Conv2d;
  readonly #timeEmbedding: TimestepEmbedding;
  readonly #classEmbedder: ClassEmbedder | null;
  readonly #convNormOut: GroupNorm;
  readonly #convOut: Conv2d;

  constructor(
    readonly config: UNet2DConditionConfig,
    params: ParameterScope,
  ) {
    this.#params = params;
    const { blockOutChannels, activation, convInKernel, convOutKernel, timeEmbedDim } = config;
    const finest = blockOutChannels[0]!;
    this.#convIn = new Conv2d(params.child('conv_in'), config.inChannels, finest, convInKernel, {
      padding: (convInKernel - 1) / 2,
    });
    this.#timeEmbedding = new TimestepEmbedding(
      params.child('time_embedding'),
      finest,
      timeEmbedDim,
      activation,
      config.timestepPostActivation,
    );
    this.#classEmbedder = config.classEmbedding
      ? buildClassEmbedder(params, config.classEmbedding, config)
      : null;
    this.downBlocks = buildDownBlocks(config, params);
    this.midBlock = buildMidBlock(config, params);
    this.upBlocks = buildUpBlocks(config, params);
    this.#convNormOut = new GroupNorm(params.child('conv_norm_out'), finest, {
      groups: config.normNumGroups,
      eps: config.normEps,
    });
    this.#convOut = new Conv2d(params.child('conv_out'), finest, config.outChannels, convOutKernel, {
      padding: (convOutKernel - 1) / 2,
    });
  }

  /** Every attention that looks at the prompt, in the order of the network. */
  crossAttentions(): readonly Attention[] {
    return this.#blocks().flatMap((block) => block.crossAttentions());
  }

  /**
   * Every linear layer and convolution by its path in the checkpoint
   * (`down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q`, `conv_in`): what a low-rank adapter may attach to.
   */
  adaptableLayers(): ReadonlyMap<string, AdaptableLayer> {
    const samplers = [
      ...this.downBlocks.map((block) => block.downsampler),
      ...this.upBlocks.map((block) => block.upsampler),
    ];
    const ofBlocks = [
      ...this.#blocks().flatMap((block) => [...block.attentions, ...block.resnets]),
      ...samplers.filter((sampler) => sampler !== null),
    ].flatMap((part) => part.adaptableLayers());
    const layers = [this.#convIn, ...this.#timeEmbedding.adaptableLayers(), ...ofBlocks, this.#convOut];
    return new Map(layers.map((layer) => [layer.weight.name.replace(/\.weight$/, ''), layer]));
  }

  /** All that a checkpoint fills, by its name there. */
  parameters(): ReadonlyMap<string, Parameter> {
    return new Map(this.#params.list().map((parameter) => [parameter.name, parameter]));
  }

  /**
   * Projects the prompt to the keys and values of every cross attention: once a generation, not once a step.
   *
   * @param encoderHiddenStates [B, S, D]
   * @param encoderAttentionMask [B, S], 1 for a token, 0 for padding
   * @param attentions those that the states are for
   * @param second AudioLDM 2's `encoder_hidden_states_1` and their mask
   * @returns states that the caller disposes
   * @throws InvalidInputError for a width or a mask that does not fit, and when AudioLDM 2's second states are missing
   */
  prepareEncoderStates(
    encoderHiddenStates: tf.Tensor3D,
    encoderAttentionMask?: tf.Tensor2D,
    attentions: readonly Attention[] = this.crossAttentions(),
    second?: PromptStates,
  ): EncoderStates {
    const first = { states: encoderHiddenStates, mask: encoderAttentionMask };
    const promptOf = ({ prompt }: Attention): PromptStates => {
      if (prompt === 0) return first;
      if (second) return second;
      throw new InvalidInputError(
        'This UNet attends to two states of a prompt (AudioLDM 2: of its language model and of T5), but one came. Give both.',
      );
    };
    for (const attention of attentions) {
      const { states } = promptOf(attention);
      const name = attention.prompt === 0 ? 'encoderHiddenStates' : 'encoderHiddenStates1';
      matchShape(name, states.shape, ['B', 'S', attention.contextWidth!]);
    }
    const [batch, tokens] = encoderHiddenStates.shape;
    if (encoderAttentionMask) matchShape('encoderAttentionMask', encoderAttentionMask.shape, [batch, tokens]);
    if (second) {
      matchShape('encoderHiddenStates1', second.states.shape, [batch, 'S', 'D']);
      if (second.mask)
        matchShape('encoderAttentionMask1', second.mask.shape, [batch, second.states.shape[1]]);
    }
    const biases = [maskBias(first.mask), maskBias(second?.mask)];
    const byAttention = new Map(
      attentions.map((attention) => [attention, attention.keysAndValues(promptOf(attention).states)]),
    );
    return new EncoderStates(batch, byAttention, biases);
  }

  /**
   * One pass.
   *
   * @param sample noisy image [B, H, W, inChannels]
   * @param timesteps one for all samples, or one for each
   * @param encoder the prompt, from `prepareEncoderStates`; null for models without text (AudioLDM), whose second
   *   attentions attend to the image
   * @returns [B, H, W, outChannels]
   * @throws InvalidInputError when batch sizes, class labels or the prompt do not fit
   */
  forward(
    sample: tf.Tensor4D,
    timesteps: readonly number[],
    encoder: EncoderStates | null,
    { classLabels }: UNet2DConditionInputs = {},
  ): tf.Tensor4D {
    const { B } = matchShape('sample', sample.shape, ['B', 'H', 'W', this.config.inChannels]);
    this.#checkInputs(B!, timesteps, encoder, classLabels);
    return tf.tidy(() => {
      // 1. Time (and class): activated once here, projected by each resnet.
      const temb = this.timeEmbedding(timesteps, classLabels);

      // 2. Down: every layer's output is kept for the way up.
      let hidden = this.stem(sample);
      const skips: tf.Tensor4D[] = [hidden];
      for (const block of this.downBlocks) {
        const output = block.forward(hidden, temb, encoder);
        hidden = output.hidden;
        skips.push(...output.skips);
      }

      // 3. Mid.
      hidden = this.midBlock.forward(hidden, temb, encoder);

      // 4. Up: takes the skips from the end, and the size of the next one where halving had rounded.
      for (const block of this.upBlocks) {
        const taken = skips.splice(-block.resnets.length).reverse();
        const next = skips.at(-1);
        const input = hidden;
        hidden = block.forward(input, taken, temb, encoder, next && [next.shape[1], next.shape[2]]);
        tf.dispose([input, ...taken]);
      }

      // 5. Out.
      const output = this.head(hidden);
      hidden.dispose();
      return output;
    });
  }

  /** The layers between `stem` and `head`, one by one: what `forward` runs, for whoever keeps or repeats parts of it. */
  stages(): readonly UNetStage[] {
    return stagesOf(this.downBlocks, this.midBlock, this.upBlocks);
  }

  /** Activated; what every resnet projects. @returns [B or 1, timeEmbedDim], twice as wide with concatenated classes */
  timeEmbedding(timesteps: readonly number[], classLabels?: tf.Tensor): tf.Tensor2D {
    return tf.tidy(() => activate(this.#embed(timesteps, classLabels), this.config.activation));
  }

  /** conv_in: [B, H, W, inChannels] -> [B, H, W, C] */
  stem(sample: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() =>
      this.#convIn.forward(
        this.config.centerInputSample ? tf.sub<tf.Tensor4D>(tf.mul(sample, 2), 1) : sample,
      ),
    );
  }

  /** conv_norm_out and conv_out: [B, H, W, C] -> [B, H, W, outChannels] */
  head(hidden: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => this.#convOut.forward(this.#convNormOut.forward(hidden, this.config.activation)));
  }

  /** @returns [B or 1, timeEmbedDim], twice as wide when the class embedding is concatenated. */
  #embed(timesteps: readonly number[], classLabels: tf.Tensor | undefined): tf.Tensor2D {
    const { blockOutChannels, classEmbeddingsConcat, timeEmbeddingActivation } = this.config;
    const width = blockOutChannels[0]!;
    const sinusoids = tf.tensor2d(sinusoidalEmbedding(timesteps, width, this.config), [
      timesteps.length,
      width,
    ]);
    let embedded = this.#timeEmbedding.forward(sinusoids) as tf.Tensor2D;
    if (this.#classEmbedder && classLabels) {
      const classes = this.#classEmbedder.forward(classLabels); // [B, timeEmbedDim]
      embedded = classEmbeddingsConcat
        ? tf.concat([tf.broadcastTo<tf.Rank.R2>(embedded, [classes.shape[0], embedded.shape[1]]), classes], 1)
        : tf.add(embedded, classes);
    }
    return timeEmbeddingActivation ? activate(embedded, timeEmbeddingActivation) : embedded;
  }

  #blocks(): readonly (DownBlock2D | MidBlock2D | UpBlock2D)[] {
    return [...this.downBlocks, this.midBlock, ...this.upBlocks];
  }

  #checkInputs(
    batch: number,
    timesteps: readonly number[],
    encoder: EncoderStates | null,
    classLabels: tf.Tensor | undefined,
  ): void {
    if (timesteps.length !== 1 && timesteps.length !== batch) {
      throw new InvalidInputError(
        `The UNet got ${timesteps.length} timesteps for a batch of ${batch}; give one for all samples or one for each.`,
      );
    }
    if (!encoder && this.crossAttentions().some(({ width, contextWidth }) => width !== contextWidth)) {
      throw new InvalidInputError(
        'This UNet attends to a prompt: give the states that prepareEncoderStates made of it, not null.',
      );
    }
    if (encoder && encoder.batchSize !== batch) {
      throw new InvalidInputError(
        `The prompt's states are for a batch of ${encoder.batchSize}, the sample has ${batch}; prepare states for the same batch.`,
      );
    }
    if ((this.#classEmbedder !== null) !== (classLabels !== undefined)) {
      throw new InvalidInputError(
        this.#classEmbedder
          ? 'This UNet has a class embedding: give classLabels.'
          : 'This UNet has no class embedding: leave classLabels out.',
      );
    }
    if (classLabels && classLabels.shape[0] !== batch) {
      throw new InvalidInputError(
        `classLabels hold ${classLabels.shape[0]} samples, the sample has ${batch}.`,
      );
    }
  }
}

/** [B, S] of 1 and 0 -> [B, 1, 1, S] of 0 and what hides a key; null without a mask */
function maskBias(mask: tf.Tensor2D | undefined): tf.Tensor4D | null {
  if (!mask) return null;
  const [batch, tokens] = mask.shape;
  return tf.tidy(() =>
    tf.reshape<tf.Rank.R4>(tf.mul(tf.sub(1, tf.cast(mask, 'float32')), MASKED_LOGIT), [batch, 1, 1, tokens]),
  );
}

function blockOptions(config: UNet2DConditionConfig, level: number, attends: boolean): BlockOptions {
  return {
    layers: config.layersPerBlock[level]!,
    resnet: {
      timeEmbedDim: config.classEmbeddingsConcat ? config.timeEmbedDim * 2 : config.timeEmbedDim,
      groups: config.normNumGroups,
      eps: config.normEps,
      activation: config.activation,
      timeScaleShift: config.timeScaleShift,
      outputScaleFactor: 1,
    },
    transformers: (attends ? config.crossAttentionDim[level]! : []).map((crossAttentionDim, i) => ({
      layers: config.transformerLayersPerBlock[level]!,
      heads: config.numAttentionHeads[level]!,
      crossAttentionDim,
      onlyCrossAttention: config.onlyCrossAttention[level]!,
      prompt: i <= LAST_OF_FIRST_PROMPT ? 0 : 1,
      normNumGroups: config.normNumGroups,
      useLinearProjection: config.useLinearProjection,
    })),
  };
}

function buildMidBlock(config: UNet2DConditionConfig, params: ParameterScope): MidBlock2D {
  const coarsest = config.blockOutChannels.length - 1;
  const { resnet, transformers } = blockOptions(
    config,
    coarsest,
    config.midBlockType === 'UNetMidBlock2DCrossAttn',
  );
  return new MidBlock2D(params.child('mid_block'), config.blockOutChannels[coarsest]!, {
    // As in diffusers, the mid block alone has an output factor, and its self attention is never left out.
    resnet: { ...resnet, outputScaleFactor: config.midBlockScaleFactor },
    transformers: transformers.map((transformer) => ({ ...transformer, onlyCrossAttention: false })),
  });
}

function buildDownBlocks(config: UNet2DConditionConfig, params: ParameterScope): readonly DownBlock2D[] {
  const { blockOutChannels, downBlockTypes, downsamplePadding } = config;
  return blockOutChannels.map(
    (channels, level) =>
      new DownBlock2D(
        params.child(`down_blocks.${level}`),
        blockOutChannels[Math.max(level - 1, 0)]!,
        channels,
        blockOptions(config, level, downBlockTypes[level] === 'CrossAttnDownBlock2D'),
        level === blockOutChannels.length - 1 ? null : downsamplePadding,
      ),
  );
}

function buildUpBlocks(config: UNet2DConditionConfig, params: ParameterScope): readonly UpBlock2D[] {
  const { blockOutChannels, upBlockTypes } = config;
  const levels = blockOutChannels.length;
  return upBlockTypes.map((type, index) => {
    const level = levels - 1 - index;
    const channels = blockOutChannels[level]!;
    const options = blockOptions(config, level, type === 'CrossAttnUpBlock2D');
    // One layer more than on the way down: the last takes the output of the level above (or of conv_in).
    const layers = options.layers + 1;
    const skipChannels = new Array<number>(layers).fill(channels);
    skipChannels[layers - 1] = blockOutChannels[Math.max(level - 1, 0)]!;
    return new UpBlock2D(
      params.child(`up_blocks.${index}`),
      blockOutChannels[Math.min(level + 1, levels - 1)]!,
      channels,
      skipChannels,
      { ...options, layers },
      level > 0,
    );
  });
}
