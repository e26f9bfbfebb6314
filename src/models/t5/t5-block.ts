import * as tf from '@tensorflow/tfjs-core';
import { attention } from '../../gpu/kernels';
import { Linear, type ParameterScope, RmsNorm } from '../../nn';
import type { T5Config } from './config';

const NO_BIAS = { bias: false };

/** Self attention without logit scaling (T5 folds it into the weights), with a bias by relative position. */
class T5Attention {
  readonly q: Linear;
  readonly k: Linear;
  readonly v: Linear;
  readonly o: Linear;

  constructor(
    params: ParameterScope,
    private readonly config: T5Config,
  ) {
    const inner = config.numHeads * config.dKv;
    this.q = new Linear(params.child('q'), config.dModel, inner, NO_BIAS);
    this.k = new Linear(params.child('k'), config.dModel, inner, NO_BIAS);
    this.v = new Linear(params.child('v'), config.dModel, inner, NO_BIAS);
    this.o = new Linear(params.child('o'), inner, config.dModel, NO_BIAS);
  }

  /**
   * @param hidden [B, L, D]
   * @param bias position bias plus mask, [B or 1, N, L, L]
   * @returns [B, L, D]
   */
  forward(hidden: tf.Tensor3D, bias: tf.Tensor4D): tf.Tensor3D {
    const { numHeads, dKv } = this.config;
    const [batch, length] = hidden.shape;
    const heads = (projection: Linear): tf.Tensor4D =>
      tf.transpose(tf.reshape(projection.forward(hidden), [batch, length, numHeads, dKv]), [0, 2, 1, 3]);
    const attended = attention(heads(this.q), heads(this.k), heads(this.v), { scale: 1, bias }); // [B, N, L, dKv]
    const merged = tf.reshape(tf.transpose(attended, [0, 2, 1, 3]), [batch, length, numHeads * dKv]);
    return this.o.forward(merged) as tf.Tensor3D;
  }
}

/** The original T5's two layers, or T5 1.1's with a gate. */
class T5FeedForward {
  readonly #hidden: Linear;
  readonly #gate: Linear | null;
  readonly #out: Linear;

  constructor(
    params: ParameterScope,
    private readonly config: T5Config,
  ) {
    const { dModel, dFf, feedForward } = config;
    this.#gate = feedForward.gated ? new Linear(params.child('wi_0'), dModel, dFf, NO_BIAS) : null;
    this.#hidden = new Linear(params.child(feedForward.gated ? 'wi_1' : 'wi'), dModel, dFf, NO_BIAS);
    // In half precision wo's products overflow on large models, so transformers keeps it in float32. Here products
    // are float32 whatever the weights are stored in.
    this.#out = new Linear(params.child('wo'), dFf, dModel, NO_BIAS);
  }

  /** @param hidden [B, L, D] @returns [B, L, D] */
  forward(hidden: tf.Tensor3D): tf.Tensor3D {
    const { activation } = this.config.feedForward;
    const inner = this.#gate
      ? tf.mul(this.#gate.forward(hidden, activation), this.#hidden.forward(hidden))
      : this.#hidden.forward(hidden, activation); // [B, L, dFf]
    return this.#out.forward(inner) as tf.Tensor3D;
  }
}

/** Attention, then feed-forward, each behind an RMS norm and added to its input. */
export class T5Block {
  readonly #attentionNorm: RmsNorm;
  readonly #attention: T5Attention;
  readonly #feedForwardNorm: RmsNorm;
  readonly #feedForward: T5FeedForward;

  constructor(params: ParameterScope, config: T5Config) {
    const norm = { eps: config.layerNormEpsilon };
    this.#attention = new T5Attention(params.child('layer.0.SelfAttention'), config);
    this.#attentionNorm = new RmsNorm(params.child('layer.0.layer_norm'), config.dModel, norm);
    this.#feedForward = new T5FeedForward(params.child('layer.1.DenseReluDense'), config);
    this.#feedForwardNorm = new RmsNorm(params.child('layer.1.layer_norm'), config.dModel, norm);
  }

  /** @param hidden [B, L, D] @param bias [B or 1, N, L, L] @returns [B, L, D] */
  forward(hidden: tf.Tensor3D, bias: tf.Tensor4D): tf.Tensor3D {
    return tf.tidy(() => {
      const attended = tf.tidy(() =>
        tf.add<tf.Tensor3D>(hidden, this.#attention.forward(this.#attentionNorm.forward(hidden), bias)),
      );
      return tf.add<tf.Tensor3D>(
        attended,
        this.#feedForward.forward(this.#feedForwardNorm.forward(attended)),
      );
    });
  }
}
