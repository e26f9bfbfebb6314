import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { Embedding, type ParameterScope, RmsNorm } from '../../nn';
import { renameStateDict, type StateDict } from '../../weights/state-dict';
import type { T5Config } from './config';
import { relativePositionBuckets } from './relative-position';
import { T5Block } from './t5-block';

/**
 * Far below any logit, so that its softmax is exactly 0 in float32, and small enough that the sum with the position
 * bias stays finite.
 */
const MASKED_LOGIT = -1e30;

/** Keys of encoder-decoder checkpoints that the encoder does not have. */
export const T5_ENCODER_IGNORED_KEYS: readonly RegExp[] = [/^decoder\./, /^lm_head\./];

const TIED_EMBEDDING = 'encoder.embed_tokens.weight';
const SHARED_EMBEDDING = 'shared.weight';

/** transformers' T5EncoderModel: token ids to states of width dModel. Parameter names are the checkpoint's. */
export class T5EncoderModel {
  readonly #shared: Embedding;
  readonly #relativeAttentionBias: Embedding;
  readonly #blocks: readonly T5Block[];
  readonly #finalLayerNorm: RmsNorm;

  constructor(
    readonly config: T5Config,
    params: ParameterScope,
  ) {
    this.#shared = new Embedding(params.child('shared'), config.vocabSize, config.dModel);
    const encoder = params.child('encoder');
    // The first block's bias serves all blocks.
    this.#relativeAttentionBias = new Embedding(
      encoder.child('block.0.layer.0.SelfAttention.relative_attention_bias'),
      config.relativeAttentionNumBuckets,
      config.numHeads,
    );
    this.#blocks = Array.from(
      { length: config.numLayers },
      (_, i) => new T5Block(encoder.child(`block.${i}`), config),
    );
    this.#finalLayerNorm = new RmsNorm(encoder.child('final_layer_norm'), config.dModel, {
      eps: config.layerNormEpsilon,
    });
  }

  /**
   * @param inputIds int32 [B, L]
   * @param attentionMask [B, L], 1 for a token, 0 for padding
   * @returns [B, L, dModel]; states of padding are as transformers computes them, meant to be masked by the reader
   */
  forward(inputIds: tf.Tensor2D, attentionMask: tf.Tensor2D): tf.Tensor3D {
    const { B, L } = matchShape('inputIds', inputIds.shape, ['B', 'L']);
    matchShape('attentionMask', attentionMask.shape, [B!, L!]);
    return tf.tidy(() => {
      const bias = tf.tidy(() => tf.add<tf.Tensor4D>(this.#positionBias(L!), maskBias(attentionMask))); // [B, N, L, L]
      let hidden = this.#shared.forward(inputIds) as tf.Tensor3D; // [B, L, dModel]
      for (const block of this.#blocks) {
        const next = block.forward(hidden, bias);
        hidden.dispose();
        hidden = next;
      }
      return this.#finalLayerNorm.forward(hidden);
    });
  }

  /** [1, N, L, L] */
  #positionBias(length: number): tf.Tensor4D {
    const { relativeAttentionNumBuckets, relativeAttentionMaxDistance } = this.config;
    const buckets = relativePositionBuckets(
      length,
      relativeAttentionNumBuckets,
      relativeAttentionMaxDistance,
    );
    const ids = tf.tensor2d(buckets, [length, length], 'int32');
    const values = this.#relativeAttentionBias.forward(ids); // [L, L, N]
    return tf.expandDims<tf.Tensor4D>(tf.transpose(values, [2, 0, 1]), 0);
  }
}

/** [B, L] of 1 and 0 -> [B, 1, 1, L] of 0 and a logit that hides the key. */
function maskBias(mask: tf.Tensor2D): tf.Tensor4D {
  const [batch, length] = mask.shape;
  return tf.reshape(tf.mul(tf.sub(1, tf.cast(mask, 'float32')), MASKED_LOGIT), [batch, 1, 1, length]);
}

/**
 * A checkpoint under the model's names: the embedding table may be stored as `shared.weight`, as
 * `encoder.embed_tokens.weight` (some exports keep only this one), or as both, which are the same tensor.
 */
export function t5EncoderStateDict(checkpoint: StateDict): StateDict {
  const hasShared = checkpoint.entry(SHARED_EMBEDDING) !== undefined;
  return renameStateDict(checkpoint, (name) => {
    if (name !== TIED_EMBEDDING) return name;
    return hasShared ? null : SHARED_EMBEDDING;
  });
}
