import type { Activation } from '../../gpu/kernels';
import { ConfigReader } from '../config-reader';

/** RoBERTa's numbers. */
export interface ClapTextConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: Activation;
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly padTokenId: number;
}

/** HTSAT's numbers: a Swin transformer over a spectrogram that is folded into a square. */
export interface ClapAudioConfig {
  readonly numMelBins: number;
  /** Side of the square; it holds `specSize / numMelBins` stretches of time, one below the other. */
  readonly specSize: number;
  readonly patchSize: number;
  readonly patchStride: number;
  readonly patchEmbedsHiddenSize: number;
  readonly patchLayerNorm: boolean;
  readonly depths: readonly number[];
  readonly numAttentionHeads: readonly number[];
  readonly windowSize: number;
  readonly mlpRatio: number;
  readonly qkvBias: boolean;
  readonly hiddenAct: Activation;
  readonly layerNormEps: number;
}

/** The text tower by itself, as AudioLDM has it: transformers' ClapTextConfig. */
export interface ClapTextWithProjectionConfig extends ClapTextConfig {
  readonly projectionDim: number;
  readonly projectionHiddenAct: Activation;
}

export interface ClapConfig {
  readonly text: ClapTextConfig;
  readonly audio: ClapAudioConfig;
  readonly projectionDim: number;
  readonly projectionHiddenAct: Activation;
}

/**
 * Reads a transformers ClapConfig. Fields of training and generation are no error; feature fusion is: its four-channel
 * input is another model.
 *
 * @throws InvalidConfigError naming the field
 */
export function parseClapConfig(json: unknown): ClapConfig {
  const reader = new ConfigReader(json, 'CLAP');
  reader.only('model_type', 'clap');
  return {
    text: parseText(reader.raw('text_config') ?? {}),
    audio: parseAudio(reader.raw('audio_config') ?? {}),
    projectionDim: reader.integer('projection_dim', 512),
    projectionHiddenAct: reader.oneOf('projection_hidden_act', ['relu', 'gelu'], 'relu'),
  };
}

/** @throws InvalidConfigError naming the field */
export function parseClapTextConfig(json: unknown): ClapTextWithProjectionConfig {
  const reader = new ConfigReader(json, 'CLAP’s text tower');
  reader.only('model_type', 'clap_text_model');
  return {
    ...parseText(json),
    projectionDim: reader.integer('projection_dim', 512),
    projectionHiddenAct: reader.oneOf('projection_hidden_act', ['relu', 'gelu'], 'relu'),
  };
}

/**
 * The text tower of a transformers ClapConfig, as AudioLDM 2 has it: the audio tower's part is not read.
 *
 * @throws InvalidConfigError naming the field
 */
export function parseClapTextTower(json: unknown): ClapTextWithProjectionConfig {
  const reader = new ConfigReader(json, 'CLAP');
  reader.only('model_type', 'clap');
  return {
    ...parseText(reader.raw('text_config') ?? {}),
    projectionDim: reader.integer('projection_dim', 512),
    projectionHiddenAct: reader.oneOf('projection_hidden_act', ['relu', 'gelu'], 'relu'),
  };
}

function parseText(json: unknown): ClapTextConfig {
  const reader = new ConfigReader(json, 'CLAP’s text tower');
  reader.only('is_decoder', false);
  reader.only('position_embedding_type', 'absolute');
  const hiddenSize = reader.integer('hidden_size', 768);
  const numAttentionHeads = reader.integer('num_attention_heads', 12);
  if (hiddenSize % numAttentionHeads !== 0) reader.refuse('num_attention_heads', 'a divisor of hidden_size');
  return {
    vocabSize: reader.integer('vocab_size', 50265),
    hiddenSize,
    numHiddenLayers: reader.integer('num_hidden_layers', 12),
    numAttentionHeads,
    intermediateSize: reader.integer('intermediate_size', 3072),
    hiddenAct: reader.oneOf('hidden_act', ['gelu', 'relu', 'gelu_new', 'silu'], 'gelu'),
    maxPositionEmbeddings: reader.integer('max_position_embeddings', 514, 4),
    typeVocabSize: reader.integer('type_vocab_size', 1),
    layerNormEps: reader.number('layer_norm_eps', 1e-12),
    padTokenId: reader.integer('pad_token_id', 1, 0),
  };
}

function parseAudio(json: unknown): ClapAudioConfig {
  const reader = new ConfigReader(json, 'CLAP’s audio tower');
  reader.only('enable_fusion', false);
  reader.only('patch_embed_input_channels', 1);
  reader.only('flatten_patch_embeds', true);
  const depths = reader.integers('depths', [2, 2, 6, 2]);
  const numAttentionHeads = reader.integers('num_attention_heads', [4, 8, 16, 32]);
  const patchEmbedsHiddenSize = reader.integer('patch_embeds_hidden_size', 96);
  const specSize = reader.integer('spec_size', 256);
  const numMelBins = reader.integer('num_mel_bins', 64);
  const [patchSize, patchStride] = [square(reader, 'patch_size', 4), square(reader, 'patch_stride', 4)];
  const windowSize = reader.integer('window_size', 8);
  if (numAttentionHeads.length !== depths.length) {
    reader.refuse('num_attention_heads', `${depths.length} numbers, one for each of depths`);
  }
  numAttentionHeads.forEach((heads, i) => {
    if ((patchEmbedsHiddenSize * 2 ** i) % heads !== 0) {
      reader.refuse('num_attention_heads', `divisors of ${patchEmbedsHiddenSize} · 2^i`);
    }
  });
  if (specSize % numMelBins !== 0) reader.refuse('spec_size', `a multiple of num_mel_bins (${numMelBins})`);
  if (patchSize < patchStride || (patchSize - patchStride) % 2 !== 0) {
    reader.refuse('patch_size', `patch_stride (${patchStride}) plus an even number`);
  }
  // Smaller grids would be padded, and a window wider than the grid does not fit its own table of biases.
  const unit = patchStride * windowSize * 2 ** (depths.length - 1);
  if (specSize % unit !== 0) {
    reader.refuse('spec_size', `a multiple of patch_stride · window_size · 2^(stages − 1) = ${unit}`);
  }
  return {
    numMelBins,
    specSize,
    patchSize,
    patchStride,
    patchEmbedsHiddenSize,
    patchLayerNorm: reader.boolean('enable_patch_layer_norm', true),
    depths,
    numAttentionHeads,
    windowSize,
    mlpRatio: reader.number('mlp_ratio', 4),
    qkvBias: reader.boolean('qkv_bias', true),
    hiddenAct: reader.oneOf('hidden_act', ['gelu', 'relu', 'gelu_new', 'silu'], 'gelu'),
    layerNormEps: reader.number('layer_norm_eps', 1e-5),
  };
}

/** An integer, or two equal ones. */
function square(reader: ConfigReader, field: string, fallback: number): number {
  const [height = 0, width] = reader.integerPerLevel(field, 2, fallback);
  return height === width ? height : reader.refuse(field, 'one number for both axes');
}
