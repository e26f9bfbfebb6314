import type { Activation } from '../../gpu/kernels';
import { ConfigReader } from '../config-reader';

/** What a GPT2Model is made of. */
export interface Gpt2Config {
  /** Positions there is an embedding for. */
  readonly maxPositionEmbeddings: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  /** Width of the feed-forward's inner layer. */
  readonly innerSize: number;
  readonly activation: Activation;
  readonly layerNormEpsilon: number;
  /** Logits are divided by the square root of a head's width. */
  readonly scaleAttnWeights: boolean;
  /** Logits of layer i are divided by i + 1. */
  readonly scaleAttnByInverseLayerIdx: boolean;
}

/** transformers' names; `gelu_new` and its copies are the tanh approximation. */
const ACTIVATIONS = {
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu: 'gelu',
  relu: 'relu',
  silu: 'silu',
} as const satisfies Record<string, Activation>;
const ACTIVATION_NAMES = ['gelu_new', 'gelu_pytorch_tanh', 'gelu', 'relu', 'silu'] as const;

/**
 * Reads a transformers GPT2Config. Fields that this class does not read (vocabulary, dropout, generation) are no error:
 * transformers writes dozens of them into every file.
 *
 * @throws InvalidConfigError for an architecture this class does not have, naming the field and what is supported
 */
export function parseGpt2Config(json: unknown): Gpt2Config {
  const reader = new ConfigReader(json, 'the language model');
  reader.only('model_type', 'gpt2');
  reader.only('add_cross_attention', false);
  const hiddenSize = reader.integer('n_embd', 768);
  const numAttentionHeads = reader.integer('n_head', 12);
  if (hiddenSize % numAttentionHeads !== 0) reader.refuse('n_head', 'a divisor of n_embd');
  return {
    maxPositionEmbeddings: reader.integer('n_positions', 1024),
    hiddenSize,
    numHiddenLayers: reader.integer('n_layer', 12),
    numAttentionHeads,
    innerSize: reader.integer('n_inner', 4 * hiddenSize),
    activation: ACTIVATIONS[reader.oneOf('activation_function', ACTIVATION_NAMES, 'gelu_new')],
    layerNormEpsilon: reader.number('layer_norm_epsilon', 1e-5),
    scaleAttnWeights: reader.boolean('scale_attn_weights', true),
    scaleAttnByInverseLayerIdx: reader.boolean('scale_attn_by_inverse_layer_idx', false),
  };
}
