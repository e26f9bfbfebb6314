import type { Activation } from '../../gpu/kernels';
import { ConfigReader } from '../config-reader';

/** What a T5EncoderModel is made of. */
export interface T5Config {
  readonly vocabSize: number;
  readonly dModel: number;
  /** Width of a head; heads * dKv need not be dModel. */
  readonly dKv: number;
  readonly dFf: number;
  readonly numLayers: number;
  readonly numHeads: number;
  readonly relativeAttentionNumBuckets: number;
  readonly relativeAttentionMaxDistance: number;
  readonly layerNormEpsilon: number;
  readonly feedForward: { readonly gated: boolean; readonly activation: Activation };
}

/**
 * transformers' names of the feed-forward: `gated-gelu` (T5 1.1, FLAN-T5) means the tanh approximation, as there.
 */
const FEED_FORWARD = {
  relu: { gated: false, activation: 'relu' },
  gelu: { gated: false, activation: 'gelu' },
  gelu_new: { gated: false, activation: 'gelu_new' },
  'gated-gelu': { gated: true, activation: 'gelu_new' },
  'gated-relu': { gated: true, activation: 'relu' },
  'gated-silu': { gated: true, activation: 'silu' },
} as const satisfies Record<string, T5Config['feedForward']>;

const FEED_FORWARD_NAMES = ['relu', 'gelu', 'gelu_new', 'gated-gelu', 'gated-relu', 'gated-silu'] as const;

/**
 * Reads a transformers T5Config (also of an encoder-decoder: its encoder is used). Fields that this class does not
 * read (decoder, generation, training) are no error: transformers writes dozens of them into every file.
 *
 * @throws InvalidConfigError for an architecture this class does not have, naming the field and what is supported.
 */
export function parseT5Config(json: unknown): T5Config {
  const reader = new ConfigReader(json, 'the text encoder');
  reader.only('model_type', 't5');
  reader.only('is_decoder', false);
  const relativeAttentionNumBuckets = reader.integer('relative_attention_num_buckets', 32, 4);
  const relativeAttentionMaxDistance = reader.integer('relative_attention_max_distance', 128);
  // Half of the buckets serve each direction, and half of those single distances; the others reach beyond them.
  if (relativeAttentionNumBuckets % 2 !== 0)
    reader.refuse('relative_attention_num_buckets', 'an even number');
  if (relativeAttentionMaxDistance <= Math.floor(relativeAttentionNumBuckets / 4)) {
    reader.refuse('relative_attention_max_distance', 'more than a quarter of relative_attention_num_buckets');
  }
  return {
    vocabSize: reader.integer('vocab_size', 32128),
    dModel: reader.integer('d_model', 512),
    dKv: reader.integer('d_kv', 64),
    dFf: reader.integer('d_ff', 2048),
    numLayers: reader.integer('num_layers', 6),
    numHeads: reader.integer('num_heads', 8),
    relativeAttentionNumBuckets,
    relativeAttentionMaxDistance,
    layerNormEpsilon: reader.number('layer_norm_epsilon', 1e-6),
    feedForward: FEED_FORWARD[reader.oneOf('feed_forward_proj', FEED_FORWARD_NAMES, 'relu')],
  };
}
