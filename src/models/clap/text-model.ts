import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { attention } from '../../gpu/kernels';
import { Embedding, LayerNorm, Linear, type ParameterScope } from '../../nn';
import type { ClapTextConfig } from './config';

/** Hides a key: its softmax is exactly 0 in float32. */
const MASKED_LOGIT = -1e30;

/** Self attention, its output projection, and the norm behind their sum. */
class ClapTextAttention {
  readonly #query: Linear;
  readonly #key: Linear;
  readonly #value: Linear;
  readonly #dense: Linear;
  readonly #norm: LayerNorm;

  constructor(
    params: ParameterScope,
    private readonly config: ClapTextConfig,
  ) {
    const { hiddenSize, layerNormEps } = config;
    this.#query = new Linear(params.child('self.query'), hiddenSize, hiddenSize);
    this.#key = new Linear(params.child('self.key'), hiddenSize, hiddenSize);
    this.#value = new Linear(params.child('self.value'), hiddenSize, hiddenSize);
    this.#dense = new Linear(params.child('output.dense'), hiddenSize, hiddenSize);
    this.#norm = new LayerNorm(params.child('output.LayerNorm'), hiddenSize, { eps: layerNormEps });
  }

  /** @param hidden [B, L, D] @param bias [B, 1, 1, L] @returns [B, L, D] */
  forward(hidden: tf.Tensor3D, bias: tf.Tensor4D): tf.Tensor3D {
    const { numAttentionHeads, hiddenSize } = this.config;
    const [batch, length] = hidden.shape;
    const width = hiddenSize / numAttentionHeads;
    const heads = (projection: Linear): tf.Tensor4D =>
      tf.transpose(
        tf.reshape(projection.forward(hidden), [batch, length, numAttentionHeads, width]),
        [0, 2, 1, 3],
      );
    const attended = attention(heads(this.#query), heads(this.#key), heads(this.#value), {
      scale: width ** -0.5,
      bias,
    }); // [B, N, L, D / N]
    const merged = tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [batch, length, hiddenSize]);
    return this.#norm.forward(tf.add<tf.Tensor3D>(this.#dense.forward(merged), hidden));
  }
}

class ClapTextLayer {
  readonly #attention: ClapTextAttention;
  readonly #intermediate: Linear;
  readonly #output: Linear;
  readonly #norm: LayerNorm;

  constructor(
    params: ParameterScope,
    private readonly config: ClapTextConfig,
  ) {
    const { hiddenSize, intermediateSize, layerNormEps } = config;
    this.#attention = new ClapTextAttention(params.child('attention'), config);
    this.#intermediate = new Linear(params.child('intermediate.dense'), hiddenSize, intermediateSize);
    this.#output = new Linear(params.child('output.dense'), intermediateSize, hiddenSize);
    this.#norm = new LayerNorm(params.child('output.LayerNorm'), hiddenSize, { eps: layerNormEps });
  }

  /** @param hidden [B, L, D] @param bias [B, 1, 1, L] @returns [B, L, D] */
  forward(hidden: tf.Tensor3D, bias: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const attended = tf.tidy(() => this.#attention.forward(hidden, bias));
      const inner = this.#intermediate.forward(attended, this.config.hiddenAct); // [B, L, intermediate]
      return this.#norm.forward(tf.add<tf.Tensor3D>(this.#output.forward(inner), attended));
    });
  }
}

/** RoBERTa as transformers' ClapTextModel has it: token ids to the pooled state of the first token. */
export class ClapTextModel {
  readonly #words: Embedding;
  readonly #positions: Embedding;
  readonly #types: Embedding;
  readonly #norm: LayerNorm;
  readonly #layers: readonly ClapTextLayer[];
  readonly #pooler: Linear;

  constructor(
    readonly config: ClapTextConfig,
    params: ParameterScope,
  ) {
    const { hiddenSize } = config;
    const embeddings = params.child('embeddings');
    this.#words = new Embedding(embeddings.child('word_embeddings'), config.vocabSize, hiddenSize);
    this.#positions = new Embedding(
      embeddings.child('position_embeddings'),
      config.maxPositionEmbeddings,
      hiddenSize,
    );
    this.#types = new Embedding(embeddings.child('token_type_embeddings'), config.typeVocabSize, hiddenSize);
    this.#norm = new LayerNorm(embeddings.child('LayerNorm'), hiddenSize, { eps: config.layerNormEps });
    this.#layers = Array.from(
      { length: config.numHiddenLayers },
      (_, i) => new ClapTextLayer(params.child(`encoder.layer.${i}`), config),
    );
    this.#pooler = new Linear(params.child('pooler.dense'), hiddenSize, hiddenSize);
  }

  /**
   * @param inputIds int32 [B, L]
   * @param attentionMask [B, L], 1 for a token, 0 for padding
   * @returns [B, D]
   */
  forward(inputIds: tf.Tensor2D, attentionMask: tf.Tensor2D): tf.Tensor2D {
    const { B, L } = matchShape('inputIds', inputIds.shape, ['B', 'L']);
    matchShape('attentionMask', attentionMask.shape, [B!, L!]);
    return tf.tidy(() => {
      const hides = tf.mul(tf.sub(1, tf.cast(attentionMask, 'float32')), MASKED_LOGIT);
      const bias = tf.reshape(hides, [B!, 1, 1, L!]) as tf.Tensor4D;
      let hidden = tf.tidy(() => this.#embed(inputIds)); // [B, L, D]
      for (const layer of this.#layers) {
        const next = layer.forward(hidden, bias);
        hidden.dispose();
        hidden = next;
      }
      const first = tf.squeeze<tf.Tensor2D>(
        tf.slice(hidden, [0, 0, 0], [B!, 1, this.config.hiddenSize]),
        [1],
      );
      return tf.tanh(this.#pooler.forward(first)) as tf.Tensor2D;
    });
  }

  #embed(inputIds: tf.Tensor2D): tf.Tensor3D {
    const states = tf.add(
      this.#words.forward(inputIds),
      this.#positions.forward(positionIds(inputIds, this.config.padTokenId)),
    );
    const type = this.#types.forward(tf.zeros([1, 1], 'int32')); // [1, 1, D]
    return this.#norm.forward(tf.add<tf.Tensor3D>(states, type));
  }
}

/** RoBERTa counts tokens from pad + 1 on; padding stays at pad. int32 [B, L] */
function positionIds(inputIds: tf.Tensor2D, padTokenId: number): tf.Tensor2D {
  const isToken = tf.cast(tf.notEqual(inputIds, tf.scalar(padTokenId, 'int32')), 'float32');
  const counted = tf.mul(tf.cumsum(isToken, 1), isToken);
  return tf.cast(tf.add(counted, padTokenId), 'int32') as tf.Tensor2D;
}
