import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../../common/errors';
import { parseT5Config } from './config';

/** google/flan-t5-large, the fields of its config.json that name the network, and some that do not. */
const FLAN_T5_LARGE = {
  architectures: ['T5ForConditionalGeneration'],
  d_ff: 2816,
  d_kv: 64,
  d_model: 1024,
  decoder_start_token_id: 0,
  dropout_rate: 0.1,
  eos_token_id: 1,
  feed_forward_proj: 'gated-gelu',
  is_encoder_decoder: true,
  layer_norm_epsilon: 1e-6,
  model_type: 't5',
  n_positions: 512,
  num_decoder_layers: 24,
  num_heads: 16,
  num_layers: 24,
  relative_attention_max_distance: 128,
  relative_attention_num_buckets: 32,
  tie_word_embeddings: false,
  vocab_size: 32128,
};

describe('parseT5Config', () => {
  it("reads FLAN-T5-large's config", () => {
    expect(parseT5Config(FLAN_T5_LARGE)).toEqual({
      vocabSize: 32128,
      dModel: 1024,
      dKv: 64,
      dFf: 2816,
      numLayers: 24,
      numHeads: 16,
      relativeAttentionNumBuckets: 32,
      relativeAttentionMaxDistance: 128,
      layerNormEpsilon: 1e-6,
      feedForward: { gated: true, activation: 'gelu_new' },
    });
  });

  it("takes the original T5's form by default", () => {
    expect(parseT5Config({ model_type: 't5' }).feedForward).toEqual({ gated: false, activation: 'relu' });
  });

  it.each<[string, Record<string, unknown>]>([
    ['model_type', { model_type: 'umt5' }],
    ['is_decoder', { is_decoder: true }],
    ['feed_forward_proj', { feed_forward_proj: 'gated-mish' }],
    ['d_model', { d_model: 0 }],
    ['relative_attention_num_buckets', { relative_attention_num_buckets: 31 }],
    ['relative_attention_max_distance', { relative_attention_max_distance: 8 }],
  ])('refuses %s of %j by name', (field, changes) => {
    const parse = (): unknown => parseT5Config({ ...FLAN_T5_LARGE, ...changes });
    expect(parse).toThrow(InvalidConfigError);
    expect(parse).toThrow(`"${field}"`);
  });
});
