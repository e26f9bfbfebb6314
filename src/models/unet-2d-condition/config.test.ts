import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../../common/errors';
import { ParameterRoot } from '../../nn';
import { parseUNet2DConditionConfig } from './config';
import { UNet2DConditionModel } from './unet-2d-condition-model';

/** Tango 2's UNet config, as released. */
const TANGO2 = {
  _class_name: 'UNet2DConditionModel',
  _diffusers_version: '0.10.0.dev0',
  act_fn: 'silu',
  attention_head_dim: [5, 10, 20, 20],
  block_out_channels: [320, 640, 1280, 1280],
  center_input_sample: false,
  cross_attention_dim: 1024,
  down_block_types: ['CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'DownBlock2D'],
  downsample_padding: 1,
  dual_cross_attention: false,
  flip_sin_to_cos: true,
  freq_shift: 0,
  in_channels: 8,
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  norm_eps: 1e-5,
  norm_num_groups: 32,
  num_class_embeds: null,
  only_cross_attention: false,
  out_channels: 8,
  sample_size: [32, 2],
  up_block_types: ['UpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D'],
  use_linear_projection: true,
  upcast_attention: true,
};

/** Every field that diffusers writes for the sizes of cvssp/audioldm2. */
const AUDIOLDM2 = {
  _class_name: 'AudioLDM2UNet2DConditionModel',
  _diffusers_version: '0.42.1',
  act_fn: 'silu',
  attention_head_dim: 8,
  block_out_channels: [128, 256, 384, 640],
  class_embed_type: null,
  class_embeddings_concat: false,
  conv_in_kernel: 3,
  conv_out_kernel: 3,
  cross_attention_dim: [
    [null, 768, 1024],
    [null, 768, 1024],
    [null, 768, 1024],
    [null, 768, 1024],
  ],
  down_block_types: ['DownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D', 'CrossAttnDownBlock2D'],
  downsample_padding: 1,
  flip_sin_to_cos: true,
  freq_shift: 0,
  in_channels: 8,
  layers_per_block: 2,
  mid_block_scale_factor: 1,
  mid_block_type: 'UNetMidBlock2DCrossAttn',
  norm_eps: 1e-5,
  norm_num_groups: 32,
  num_attention_heads: null,
  num_class_embeds: null,
  only_cross_attention: false,
  out_channels: 8,
  projection_class_embeddings_input_dim: null,
  resnet_time_scale_shift: 'default',
  sample_size: 256,
  time_cond_proj_dim: null,
  time_embedding_act_fn: null,
  time_embedding_dim: null,
  time_embedding_type: 'positional',
  timestep_post_act: null,
  transformer_layers_per_block: 1,
  up_block_types: ['CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'CrossAttnUpBlock2D', 'UpBlock2D'],
  upcast_attention: false,
  use_linear_projection: false,
};

const parse = (changes: Record<string, unknown>) => () =>
  parseUNet2DConditionConfig({ ...TANGO2, ...changes });

describe('parseUNet2DConditionConfig', () => {
  it("reads Tango 2's config", () => {
    expect(parseUNet2DConditionConfig(TANGO2)).toMatchObject({
      inChannels: 8,
      blockOutChannels: [320, 640, 1280, 1280],
      layersPerBlock: [2, 2, 2, 2],
      numAttentionHeads: [5, 10, 20, 20],
      crossAttentionDim: [[1024], [1024], [1024], [1024]],
      midBlockType: 'UNetMidBlock2DCrossAttn',
      timeEmbedDim: 1280,
      useLinearProjection: true,
      classEmbedding: null,
    });
  });

  it('takes the defaults of diffusers for absent and null fields', () => {
    expect(parseUNet2DConditionConfig({ time_embedding_dim: null })).toMatchObject({
      inChannels: 4,
      blockOutChannels: [320, 640, 1280, 1280],
      numAttentionHeads: [8, 8, 8, 8],
      crossAttentionDim: [[1280], [1280], [1280], [1280]],
      normNumGroups: 32,
      activation: 'silu',
      useLinearProjection: false,
      timeEmbedDim: 1280,
    });
  });

  it("reads AudioLDM's class embedding", () => {
    const config = parse({
      class_embed_type: 'simple_projection',
      projection_class_embeddings_input_dim: 512,
      class_embeddings_concat: true,
      cross_attention_dim: [320, 640, 1280, 1280],
    })();
    expect(config.classEmbedding).toEqual({ type: 'simple_projection', inputWidth: 512 });
    expect(config.classEmbeddingsConcat).toBe(true);
    expect(config.crossAttentionDim).toEqual([[320], [640], [1280], [1280]]);
  });

  it("reads AudioLDM 2's lists of widths, which are in its own class only", () => {
    const audioldm2 = {
      _class_name: 'AudioLDM2UNet2DConditionModel',
      cross_attention_dim: [[null, 768, 1024], [null, 768, 1024], [768], [null, 768, 1024, null]],
    };
    expect(parse(audioldm2)().crossAttentionDim).toEqual(audioldm2.cross_attention_dim);
    expect(parse({ ...audioldm2, _class_name: 'UNet2DConditionModel' })).toThrow('"cross_attention_dim"');
    for (const lists of [
      [[null], [768]],
      [[], [768], [768], [768]],
      [[768.5], [768], [768], [768]],
      [[1, 2, 3, 4, 5], [768], [768], [768]],
      [[768], 768, [768], [768]],
    ]) {
      expect(parse({ ...audioldm2, cross_attention_dim: lists })).toThrow('"cross_attention_dim"');
    }
  });

  it("builds AudioLDM 2's base model, of as many parameters as diffusers counts", () => {
    const config = parseUNet2DConditionConfig(AUDIOLDM2);
    expect(config).toMatchObject({
      className: 'AudioLDM2UNet2DConditionModel',
      numAttentionHeads: [8, 8, 8, 8],
      transformerLayersPerBlock: [1, 1, 1, 1],
    });
    const root = new ParameterRoot();
    new UNet2DConditionModel(config, root.scope);
    expect(root.parameterCount).toBe(346_943_496);
  });

  it('passes options that are off, whatever their names', () => {
    expect(parse({ some_new_option: null, another: false, _internal: 3, dropout: 0.1 })).not.toThrow();
  });

  it.each<[string, Record<string, unknown>]>([
    [
      'down_block_types',
      { down_block_types: ['SimpleCrossAttnDownBlock2D', 'DownBlock2D', 'DownBlock2D', 'DownBlock2D'] },
    ],
    ['down_block_types', { down_block_types: ['DownBlock2D'] }],
    ['up_block_types', { up_block_types: 'UpBlock2D' }],
    ['mid_block_type', { mid_block_type: 'UNetMidBlock2DSimpleCrossAttn' }],
    ['act_fn', { act_fn: 'mish' }],
    ['attention_head_dim', { attention_head_dim: [5, 10, 20] }],
    ['attention_head_dim', { attention_head_dim: 7 }],
    ['block_out_channels', { block_out_channels: [320, 650, 1280, 1280] }],
    ['block_out_channels', { block_out_channels: [] }],
    ['num_attention_heads', { num_attention_heads: 8 }],
    ['dual_cross_attention', { dual_cross_attention: true }],
    ['encoder_hid_dim_type', { encoder_hid_dim_type: 'text_proj', encoder_hid_dim: null }],
    ['addition_embed_type', { addition_embed_type: 'text_time' }],
    ['time_embedding_type', { time_embedding_type: 'fourier' }],
    ['resnet_out_scale_factor', { resnet_out_scale_factor: 1.5 }],
    ['cross_attention_dim', { cross_attention_dim: [null, 1024, 1024, 1024] }],
    ['class_embed_type', { class_embed_type: 'clap' }],
    ['projection_class_embeddings_input_dim', { class_embed_type: 'projection' }],
    ['in_channels', { in_channels: 8.5 }],
    ['norm_eps', { norm_eps: '1e-5' }],
    ['conv_in_kernel', { conv_in_kernel: 4 }],
    ['some_new_option', { some_new_option: 'on' }],
    ['_class_name', { _class_name: 'UNet2DModel' }],
  ])('refuses %s of %j by name', (field, changes) => {
    expect(parse(changes)).toThrow(InvalidConfigError);
    expect(parse(changes)).toThrow(`"${field}"`);
  });

  it.each([null, [], 'text', 3])('refuses a file that holds %j', (json) => {
    expect(() => parseUNet2DConditionConfig(json)).toThrow(InvalidConfigError);
  });

  it('says what came and what is supported', () => {
    expect(parse({ act_fn: 'mish' })).toThrow(
      'The config.json of the UNet has "mish" for "act_fn"; this studio supports "silu", "swish", "gelu", "relu".',
    );
  });
});
