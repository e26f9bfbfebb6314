import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { InvalidInputError } from '../../common/errors';
import { Embedding, LayerNorm, type ParameterScope } from '../../nn';
import { renameStateDict, type StateDict } from '../../weights/state-dict';
import type { Gpt2Config } from './config';
import { Gpt2Block } from './gpt2-block';

/** Hides a key: its softmax is exactly 0 in float32. */
const MASKED_LOGIT = -1e30;

/** The table of token embeddings, which is not read where embeddings come in, the causal masks, the head. */
export const GPT2_IGNORED_KEYS: readonly RegExp[] = [
  /^wte\.weight$/,
  /^h\.\d+\.attn\.(bias|masked_bias)$/,
  /^lm_head\.weight$/,
];

/**
 * transformers' GPT2Model over embeddings (`inputs_embeds`): it has no table of tokens. Parameter names are the
 * checkpoint's.
 */
export class Gpt2Model {
  readonly #positions: Embedding;
  readonly #blocks: readonly Gpt2Block[];
  readonly #finalNorm: LayerNorm;

  constructor(
    readonly config: Gpt2Config,
    params: ParameterScope,
  ) {
    const { hiddenSize, layerNormEpsilon } = config;
    this.#positions = new Embedding(params.child('wpe'), config.maxPositionEmbeddings, hiddenSize);
    this.#blocks = Array.from(
      { length: config.numHiddenLayers },
      (_, i) => new Gpt2Block(params.child(`h.${i}`), config, i),
    );
    this.#finalNorm = new LayerNorm(params.child('ln_f'), hiddenSize, { eps: layerNormEpsilon });
  }

  /**
   * Positions count from the start, padding too, as transformers has it where no `position_ids` are given.
   *
   * @param inputsEmbeds [B, L, D]
   * @param attentionMask [B, L], 1 for a token, 0 for padding
   * @returns [B, L, D], behind the final norm; states of padding are meant to be masked by the reader
   * @throws InvalidInputError for more positions than there are embeddings
   */
  forward(inputsEmbeds: tf.Tensor3D, attentionMask: tf.Tensor2D): tf.Tensor3D {
    const { hiddenSize, maxPositionEmbeddings } = this.config;
    const { B, L } = matchShape('inputsEmbeds', inputsEmbeds.shape, ['B', 'L', hiddenSize]);
    matchShape('attentionMask', attentionMask.shape, [B!, L!]);
    if (L! > maxPositionEmbeddings) {
      throw new InvalidInputError(
        `The language model has ${maxPositionEmbeddings} positions, but ${L} came. Give a shorter text.`,
      );
    }
    return tf.tidy(() => {
      const bias = tf.tidy(() => causalBias(attentionMask));
      const ids = tf.range(0, L!, 1, 'int32');
      let hidden = tf.add<tf.Tensor3D>(inputsEmbeds, this.#positions.forward(ids)); // [B, L, D]
      for (const block of this.#blocks) {
        const next = block.forward(hidden, bias);
        hidden.dispose();
        hidden = next;
      }
      return this.#finalNorm.forward(hidden);
    });
  }
}

/** [B, L] of 1 and 0 -> [B, 1, L, L] of 0 and a logit that hides what comes later, and padding. */
function causalBias(mask: tf.Tensor2D): tf.Tensor4D {
  const [batch, length] = mask.shape;
  const causal = new Float32Array(length * length);
  for (let query = 0; query < length; query += 1) causal.fill(1, query * length, query * length + query + 1);
  const seen = tf.mul(
    tf.tensor4d(causal, [1, 1, length, length]),
    tf.reshape(tf.cast(mask, 'float32'), [batch, 1, 1, length]),
  );
  return tf.mul<tf.Tensor4D>(tf.sub(1, seen), MASKED_LOGIT);
}

/** A checkpoint under the model's names: with a head (GPT2LMHeadModel) each name begins with `transformer.`. */
export function gpt2StateDict(checkpoint: StateDict): StateDict {
  return renameStateDict(checkpoint, (name) => name.replace(/^transformer\./, ''));
}
