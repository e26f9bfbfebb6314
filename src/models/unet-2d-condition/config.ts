import type { Activation } from '../../gpu/kernels';
import { ConfigReader } from '../config-reader';

const PLAIN_CLASS = 'UNet2DConditionModel';
const AUDIOLDM2_CLASS = 'AudioLDM2UNet2DConditionModel';
const DOWN_BLOCK_TYPES = ['CrossAttnDownBlock2D', 'DownBlock2D'] as const;
const UP_BLOCK_TYPES = ['CrossAttnUpBlock2D', 'UpBlock2D'] as const;
const CLASS_EMBED_TYPES = ['timestep', 'identity', 'projection', 'simple_projection'] as const;

export type DownBlockType = (typeof DOWN_BLOCK_TYPES)[number];
export type UpBlockType = (typeof UP_BLOCK_TYPES)[number];

/** How class labels become a vector of the time embedding's width. */
export type ClassEmbedding =
  /** A number a sample, embedded as the timestep is. */
  | { readonly type: 'timestep' }
  /** Already of the time embedding's width. */
  | { readonly type: 'identity' }
  /** Two linear layers (`projection`) or one (`simple_projection`: AudioLDM's CLAP embedding). */
  | { readonly type: 'projection' | 'simple_projection'; readonly inputWidth: number }
  /** An index into a table (`num_class_embeds`). */
  | { readonly type: 'index'; readonly classes: number };

/** What a UNet2DConditionModel is made of; lists hold one entry for each resolution level, finest first. */
export interface UNet2DConditionConfig {
  readonly className: typeof PLAIN_CLASS | typeof AUDIOLDM2_CLASS;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly centerInputSample: boolean;
  readonly flipSinToCos: boolean;
  readonly freqShift: number;
  readonly downBlockTypes: readonly DownBlockType[];
  readonly midBlockType: 'UNetMidBlock2DCrossAttn' | 'UNetMidBlock2D';
  /** Coarsest level first, as in the file. */
  readonly upBlockTypes: readonly UpBlockType[];
  readonly blockOutChannels: readonly number[];
  readonly layersPerBlock: readonly number[];
  readonly transformerLayersPerBlock: readonly number[];
  /** `attention_head_dim` in the file: diffusers reads it as the number of heads, and so does every checkpoint. */
  readonly numAttentionHeads: readonly number[];
  /**
   * One entry for each transformer behind a resnet: one, or AudioLDM 2's up to four. Null attends to the image alone; the
   * first two look at the first of the prompt's states, the others at the second.
   */
  readonly crossAttentionDim: readonly (readonly (number | null)[])[];
  readonly onlyCrossAttention: readonly boolean[];
  readonly useLinearProjection: boolean;
  readonly downsamplePadding: number;
  readonly midBlockScaleFactor: number;
  readonly activation: Activation;
  readonly normNumGroups: number;
  readonly normEps: number;
  readonly timeScaleShift: 'default' | 'scale_shift';
  readonly timeEmbedDim: number;
  readonly timeEmbeddingActivation: Activation | null;
  readonly timestepPostActivation: Activation | null;
  readonly classEmbedding: ClassEmbedding | null;
  readonly classEmbeddingsConcat: boolean;
  readonly convInKernel: number;
  readonly convOutKernel: number;
}

/** diffusers' names of activations that the kernels have. Its "gelu" is the exact one (erf). */
const ACTIVATIONS = { silu: 'silu', swish: 'silu', gelu: 'gelu', relu: 'relu' } as const;
const ACTIVATION_NAMES = ['silu', 'swish', 'gelu', 'relu'] as const;

/** Fields of published files that say nothing about the network: its training size, dropout, EMA state. */
const HARMLESS = [
  'sample_size',
  'dropout',
  // Attention logits are always computed in float32 here, which is what upcast_attention asks for.
  'upcast_attention',
  // The widths of additions that are refused unless off.
  'addition_embed_type_num_heads',
  'decay',
  'inv_gamma',
  'min_decay',
  'optimization_step',
  'power',
  'update_after_step',
  'use_ema_warmup',
];

/** As many transformers behind a resnet as diffusers' class has. */
const MAX_TRANSFORMERS = 4;

/**
 * Reads the config.json of a diffusers UNet2DConditionModel or AudioLDM2UNet2DConditionModel. Absent fields take diffusers' defaults.
 *
 * @throws InvalidConfigError for an option this class does not have, naming the field and what is supported.
 */
export function parseUNet2DConditionConfig(json: unknown): UNet2DConditionConfig {
  const reader = new ConfigReader(json, 'the UNet');

  const blockOutChannels = reader.integers('block_out_channels', [320, 640, 1280, 1280]);
  const levels = blockOutChannels.length;
  const downBlockTypes = reader.listOf('down_block_types', DOWN_BLOCK_TYPES, [
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'CrossAttnDownBlock2D',
    'DownBlock2D',
  ]);
  const upBlockTypes = reader.listOf('up_block_types', UP_BLOCK_TYPES, [
    'UpBlock2D',
    'CrossAttnUpBlock2D',
    'CrossAttnUpBlock2D',
    'CrossAttnUpBlock2D',
  ]);
  if (downBlockTypes.length !== levels) {
    reader.refuse('down_block_types', `a list of ${levels} types, one for each of block_out_channels`);
  }
  if (upBlockTypes.length !== levels) {
    reader.refuse('up_block_types', `a list of ${levels} types, one for each of block_out_channels`);
  }

  refuseUnsupported(reader);

  const numAttentionHeads = reader.integerPerLevel('attention_head_dim', levels, 8);
  const normNumGroups = reader.integer('norm_num_groups', 32);
  blockOutChannels.forEach((channels, level) => {
    if (channels % normNumGroups !== 0) {
      reader.refuse('block_out_channels', `widths that are multiples of norm_num_groups (${normNumGroups})`);
    }
    if (attends(downBlockTypes, upBlockTypes, level) && channels % numAttentionHeads[level]! !== 0) {
      reader.refuse(
        'attention_head_dim',
        `numbers of heads that divide block_out_channels (level ${level}: ${channels})`,
      );
    }
  });

  const timeEmbeddingActivation = readOptionalActivation(reader, 'time_embedding_act_fn');
  const classEmbedding = readClassEmbedding(reader);
  const config: UNet2DConditionConfig = {
    className: reader.oneOf('_class_name', [PLAIN_CLASS, AUDIOLDM2_CLASS], PLAIN_CLASS),
    inChannels: reader.integer('in_channels', 4),
    outChannels: reader.integer('out_channels', 4),
    centerInputSample: reader.boolean('center_input_sample', false),
    flipSinToCos: reader.boolean('flip_sin_to_cos', true),
    freqShift: reader.number('freq_shift', 0),
    downBlockTypes,
    midBlockType: reader.oneOf(
      'mid_block_type',
      ['UNetMidBlock2DCrossAttn', 'UNetMidBlock2D'],
      'UNetMidBlock2DCrossAttn',
    ),
    upBlockTypes,
    blockOutChannels,
    layersPerBlock: reader.integerPerLevel('layers_per_block', levels, 2),
    transformerLayersPerBlock: reader.integerPerLevel('transformer_layers_per_block', levels, 1),
    numAttentionHeads,
    crossAttentionDim: readCrossAttentionDim(reader, levels),
    onlyCrossAttention: reader.booleanPerLevel('only_cross_attention', levels, false),
    useLinearProjection: reader.boolean('use_linear_projection', false),
    downsamplePadding: reader.integer('downsample_padding', 1, 0),
    midBlockScaleFactor: reader.number('mid_block_scale_factor', 1),
    activation: readActivation(reader, 'act_fn'),
    normNumGroups,
    normEps: reader.number('norm_eps', 1e-5),
    timeScaleShift: reader.oneOf('resnet_time_scale_shift', ['default', 'scale_shift'], 'default'),
    timeEmbedDim: reader.integer('time_embedding_dim', blockOutChannels[0]! * 4),
    timeEmbeddingActivation,
    timestepPostActivation: readOptionalActivation(reader, 'timestep_post_act'),
    classEmbedding,
    classEmbeddingsConcat: classEmbedding !== null && reader.boolean('class_embeddings_concat', false),
    convInKernel: readOddKernel(reader, 'conv_in_kernel'),
    convOutKernel: readOddKernel(reader, 'conv_out_kernel'),
  };
  reader.refuseUnread(HARMLESS);
  return config;
}

/** Options of diffusers' class that no model of this family uses; their "off" values pass. */
function refuseUnsupported(reader: ConfigReader): void {
  reader.only('num_attention_heads', null);
  reader.only('dual_cross_attention', false);
  reader.only('encoder_hid_dim', null);
  reader.only('encoder_hid_dim_type', null);
  reader.only('addition_embed_type', null);
  reader.only('addition_time_embed_dim', null);
  reader.only('reverse_transformer_layers_per_block', null);
  reader.only('resnet_skip_time_act', false);
  reader.only('resnet_out_scale_factor', 1);
  reader.only('time_embedding_type', 'positional');
  reader.only('time_cond_proj_dim', null);
  reader.only('attention_type', 'default');
  reader.only('mid_block_only_cross_attention', false);
  reader.only('cross_attention_norm', null);
}

function attends(down: readonly DownBlockType[], up: readonly UpBlockType[], level: number): boolean {
  const isCoarsest = level === down.length - 1;
  return isCoarsest || down[level] !== 'DownBlock2D' || up[up.length - 1 - level] !== 'UpBlock2D';
}

/** A list of lists is AudioLDM 2's: in a UNet2DConditionModel it would mean nothing. */
function readCrossAttentionDim(
  reader: ConfigReader,
  levels: number,
): readonly (readonly (number | null)[])[] {
  const lists: unknown = reader.raw('cross_attention_dim');
  const nested = Array.isArray(lists) && lists.some((entry) => Array.isArray(entry));
  if (!nested || reader.raw('_class_name') !== AUDIOLDM2_CLASS) {
    return reader.integerPerLevel('cross_attention_dim', levels, 1280).map((width) => [width]);
  }
  if (lists.length !== levels || !lists.every(isListOfWidths)) {
    return reader.refuse(
      'cross_attention_dim',
      `${levels} lists of 1 to ${MAX_TRANSFORMERS} widths, each an integer or null`,
    );
  }
  return lists;
}

function isListOfWidths(list: unknown): list is readonly (number | null)[] {
  return (
    Array.isArray(list) &&
    list.length >= 1 &&
    list.length <= MAX_TRANSFORMERS &&
    list.every((width) => width === null || (Number.isSafeInteger(width) && width >= 1 && width <= 2 ** 20))
  );
}

function readActivation(reader: ConfigReader, field: string): Activation {
  return ACTIVATIONS[reader.oneOf(field, ACTIVATION_NAMES, 'silu')];
}

function readOptionalActivation(reader: ConfigReader, field: string): Activation | null {
  return reader.has(field) ? readActivation(reader, field) : null;
}

function readOddKernel(reader: ConfigReader, field: string): number {
  const size = reader.integer(field, 3);
  if (size % 2 === 0) reader.refuse(field, 'an odd kernel size');
  return size;
}

function readClassEmbedding(reader: ConfigReader): ClassEmbedding | null {
  if (!reader.has('class_embed_type')) {
    return reader.has('num_class_embeds')
      ? { type: 'index', classes: reader.integer('num_class_embeds') }
      : null;
  }
  const type = reader.oneOf('class_embed_type', CLASS_EMBED_TYPES);
  return type === 'projection' || type === 'simple_projection'
    ? { type, inputWidth: reader.integer('projection_class_embeddings_input_dim') }
    : { type };
}
