import * as tf from '@tensorflow/tfjs-core';
import { type Activation, attention, linear } from '../../gpu/kernels';
import { LayerNorm, type Parameter, type ParameterScope } from '../../nn';
import type { Gpt2Config } from './config';

/** transformers' `Conv1D`: a linear layer whose matrix is [in, out] in the checkpoint, as it is here. */
class InOutLinear {
  readonly #weight: Parameter; // [in, out]
  readonly #bias: Parameter; // [out]

  constructor(params: ParameterScope, inFeatures: number, outFeatures: number) {
    this.#weight = params.weight('weight', [inFeatures, outFeatures], 'matrix');
    this.#bias = params.weight('bias', [outFeatures], 'vector');
  }

  /** [..., in] -> [..., out] */
  forward(x: tf.Tensor, activation?: Activation): tf.Tensor {
    return linear(x, this.#weight, this.#bias, activation);
  }
}

/** GPT2Block: self attention and feed-forward, each behind a layer norm and added to its input. */
export class Gpt2Block {
  readonly #norm1: LayerNorm;
  readonly #queriesKeysValues: InOutLinear;
  readonly #attentionOut: InOutLinear;
  readonly #norm2: LayerNorm;
  readonly #feedForwardIn: InOutLinear;
  readonly #feedForwardOut: InOutLinear;
  readonly #scale: number;

  constructor(
    params: ParameterScope,
    private readonly config: Gpt2Config,
    layerIndex: number,
  ) {
    const { hiddenSize, innerSize, numAttentionHeads, layerNormEpsilon } = config;
    this.#norm1 = new LayerNorm(params.child('ln_1'), hiddenSize, { eps: layerNormEpsilon });
    this.#queriesKeysValues = new InOutLinear(params.child('attn.c_attn'), hiddenSize, 3 * hiddenSize);
    this.#attentionOut = new InOutLinear(params.child('attn.c_proj'), hiddenSize, hiddenSize);
    this.#norm2 = new LayerNorm(params.child('ln_2'), hiddenSize, { eps: layerNormEpsilon });
    this.#feedForwardIn = new InOutLinear(params.child('mlp.c_fc'), hiddenSize, innerSize);
    this.#feedForwardOut = new InOutLinear(params.child('mlp.c_proj'), innerSize, hiddenSize);
    this.#scale =
      (config.scaleAttnWeights ? (hiddenSize / numAttentionHeads) ** -0.5 : 1) /
      (config.scaleAttnByInverseLayerIdx ? layerIndex + 1 : 1);
  }

  /** @param hidden [B, L, D] @param bias [B, 1, L, L] @returns [B, L, D] */
  forward(hidden: tf.Tensor3D, bias: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const attended = tf.tidy(() =>
        tf.add<tf.Tensor3D>(this.#attend(this.#norm1.forward(hidden), bias), hidden),
      );
      const inner = this.#feedForwardIn.forward(this.#norm2.forward(attended), this.config.activation); // [B, L, inner]
      return tf.add<tf.Tensor3D>(this.#feedForwardOut.forward(inner), attended);
    });
  }

  #attend(hidden: tf.Tensor3D, bias: tf.Tensor4D): tf.Tensor {
    const { numAttentionHeads, hiddenSize } = this.config;
    const [batch, length] = hidden.shape;
    const [queries, keys, values] = tf
      .split(this.#queriesKeysValues.forward(hidden), 3, 2)
      .map((part) =>
        tf.transpose(
          tf.reshape(part, [batch, length, numAttentionHeads, hiddenSize / numAttentionHeads]),
          [0, 2, 1, 3],
        ),
      ) as [tf.Tensor4D, tf.Tensor4D, tf.Tensor4D]; // [B, N, L, D / N] each
    const attended = attention(queries, keys, values, { scale: this.#scale, bias });
    return this.#attentionOut.forward(
      tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [batch, length, hiddenSize]),
    );
  }
}
