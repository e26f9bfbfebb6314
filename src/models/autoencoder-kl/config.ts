import type { Activation } from '../../gpu/kernels';
import { ConfigReader } from '../config-reader';

/** What an AutoencoderKL is made of; lists hold one entry for each resolution level, finest first. */
export interface AutoencoderKLConfig {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly latentChannels: number;
  readonly blockOutChannels: readonly number[];
  readonly layersPerBlock: number;
  readonly normNumGroups: number;
  readonly activation: Activation;
  /** Latents times this have unit variance: what the diffusion works on. */
  readonly scalingFactor: number;
  readonly useQuantConv: boolean;
  readonly usePostQuantConv: boolean;
  readonly midBlockAddAttention: boolean;
}

const ACTIVATIONS = { silu: 'silu', swish: 'silu', gelu: 'gelu', relu: 'relu' } as const;
const ACTIVATION_NAMES = ['silu', 'swish', 'gelu', 'relu'] as const;

/** Fields that say nothing about the network: its training size; force_upcast asks for the float32 it always has. */
const HARMLESS = ['sample_size', 'force_upcast'];

/**
 * Reads a diffusers AutoencoderKL config.json. Absent fields take diffusers' defaults.
 *
 * @throws InvalidConfigError for an option this class does not have, naming the field and what is supported.
 */
export function parseAutoencoderKLConfig(json: unknown): AutoencoderKLConfig {
  const reader = new ConfigReader(json, 'the autoencoder');
  reader.only('_class_name', 'AutoencoderKL');
  const blockOutChannels = reader.integers('block_out_channels', [64]);
  const levels = blockOutChannels.length;
  const down = reader.listOf('down_block_types', ['DownEncoderBlock2D'], ['DownEncoderBlock2D']);
  const up = reader.listOf('up_block_types', ['UpDecoderBlock2D'], ['UpDecoderBlock2D']);
  const oneEach = `a list of ${levels} types, one for each of block_out_channels`;
  if (down.length !== levels) reader.refuse('down_block_types', oneEach);
  if (up.length !== levels) reader.refuse('up_block_types', oneEach);

  const normNumGroups = reader.integer('norm_num_groups', 32);
  if (blockOutChannels.some((channels) => channels % normNumGroups !== 0)) {
    reader.refuse('block_out_channels', `widths that are multiples of norm_num_groups (${normNumGroups})`);
  }
  const scalingFactor = reader.number('scaling_factor', 0.18215);
  if (scalingFactor <= 0) reader.refuse('scaling_factor', 'a number above 0');
  // Other normalisations of the latents than one factor (Stable Diffusion 3, Wan) are not of this family.
  reader.only('shift_factor', null, 0);
  reader.only('latents_mean', null);
  reader.only('latents_std', null);

  const config: AutoencoderKLConfig = {
    inChannels: reader.integer('in_channels', 3),
    outChannels: reader.integer('out_channels', 3),
    latentChannels: reader.integer('latent_channels', 4),
    blockOutChannels,
    layersPerBlock: reader.integer('layers_per_block', 1),
    normNumGroups,
    activation: ACTIVATIONS[reader.oneOf('act_fn', ACTIVATION_NAMES, 'silu')],
    scalingFactor,
    useQuantConv: reader.boolean('use_quant_conv', true),
    usePostQuantConv: reader.boolean('use_post_quant_conv', true),
    midBlockAddAttention: reader.boolean('mid_block_add_attention', true),
  };
  reader.refuseUnread(HARMLESS);
  return config;
}

/** AudioLDM's autoencoder norms by 32 groups, whatever its width: the number is in its code only. */
const AUDIOLDM_NORM_GROUPS = 32;

/**
 * The diffusers config.json of an autoencoder that AudioLDM describes (`vae_config.json` of Tango's files).
 *
 * @throws InvalidConfigError for an option that AutoencoderKL does not have, naming the field
 */
export function autoencoderKLConfigFromAudioldm(json: unknown): Readonly<Record<string, unknown>> {
  const outer = new ConfigReader(json, 'the autoencoder (vae_config.json)');
  outer.only('subband', 1);
  outer.only('time_shuffle', 1);
  const inner = new ConfigReader(outer.raw('ddconfig'), 'the autoencoder (ddconfig of vae_config.json)');
  inner.only('double_z', true);
  inner.only('downsample_time', false);
  const attention = inner.raw('attn_resolutions') ?? [];
  if (!Array.isArray(attention) || attention.length > 0) {
    inner.refuse('attn_resolutions', 'no attention besides the middle one');
  }
  const latentChannels = inner.integer('z_channels');
  if (outer.integer('embed_dim', latentChannels) !== latentChannels) {
    outer.refuse('embed_dim', `the same as z_channels (${latentChannels})`);
  }
  const width = inner.integer('ch');
  const widths = inner.integers('ch_mult').map((factor) => factor * width);
  return {
    _class_name: 'AutoencoderKL',
    in_channels: inner.integer('in_channels'),
    out_channels: inner.integer('out_ch'),
    latent_channels: latentChannels,
    block_out_channels: widths,
    layers_per_block: inner.integer('num_res_blocks'),
    norm_num_groups: AUDIOLDM_NORM_GROUPS,
    act_fn: 'silu',
    down_block_types: widths.map(() => 'DownEncoderBlock2D'),
    up_block_types: widths.map(() => 'UpDecoderBlock2D'),
    scaling_factor: outer.number('scale_factor'),
  };
}
