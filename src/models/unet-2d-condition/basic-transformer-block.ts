import * as tf from '@tensorflow/tfjs-core';
import { geglu } from '../../gpu/kernels';
import { LayerNorm, Linear, type ParameterScope } from '../../nn';
import { Attention } from './attention';
import type { EncoderStates, PromptIndex } from './encoder-states';

const LAYER_NORM = { eps: 1e-5 };
/** The feed-forward's inner width, as a multiple of the block's. */
const FEED_FORWARD_FACTOR = 4;

export interface BasicTransformerBlockOptions {
  readonly heads: number;
  /** Null: the second attention is a self attention too (AudioLDM 2's `double_self_attention`). */
  readonly crossAttentionDim: number | null;
  /** The first attention attends to the prompt as well. */
  readonly onlyCrossAttention: boolean;
  readonly prompt?: PromptIndex;
}

/** Self attention, cross attention, gated feed-forward; each behind a layer norm and added to its input. */
export class BasicTransformerBlock {
  readonly attn1: Attention;
  readonly attn2: Attention;
  readonly #norm1: LayerNorm;
  readonly #norm2: LayerNorm;
  readonly #norm3: LayerNorm;
  readonly #feedForwardIn: Linear;
  readonly #feedForwardOut: Linear;

  constructor(params: ParameterScope, width: number, options: BasicTransformerBlockOptions) {
    const { heads, crossAttentionDim, onlyCrossAttention, prompt = 0 } = options;
    const inner = width * FEED_FORWARD_FACTOR;
    this.#norm1 = new LayerNorm(params.child('norm1'), width, LAYER_NORM);
    this.attn1 = new Attention(params.child('attn1'), width, {
      contextWidth: onlyCrossAttention ? crossAttentionDim : null,
      heads,
      prompt,
    });
    this.#norm2 = new LayerNorm(params.child('norm2'), width, LAYER_NORM);
    this.attn2 = new Attention(params.child('attn2'), width, {
      contextWidth: crossAttentionDim,
      heads,
      prompt,
    });
    this.#norm3 = new LayerNorm(params.child('norm3'), width, LAYER_NORM);
    this.#feedForwardIn = new Linear(params.child('ff.net.0.proj'), width, inner * 2);
    this.#feedForwardOut = new Linear(params.child('ff.net.2'), inner, width);
  }

  /** The attentions that look at the prompt. */
  crossAttentions(): readonly Attention[] {
    return [this.attn1, this.attn2].filter((attention) => attention.contextWidth !== null);
  }

  /** Every linear layer of the block: what a low-rank adapter may attach to. */
  linears(): readonly Linear[] {
    return [...this.attn1.linears(), ...this.attn2.linears(), this.#feedForwardIn, this.#feedForwardOut];
  }

  /** @param hidden [B, L, C] @returns [B, L, C] */
  forward(hidden: tf.Tensor3D, encoder: EncoderStates | null): tf.Tensor3D {
    const afterSelf = tf.tidy(() => {
      const context = this.attn1.contextWidth === null ? null : encoder;
      return tf.add<tf.Tensor3D>(this.attn1.forward(this.#norm1.forward(hidden), context), hidden);
    });
    const afterCross = tf.tidy(() => {
      const context = this.attn2.contextWidth === null ? null : encoder;
      return tf.add<tf.Tensor3D>(this.attn2.forward(this.#norm2.forward(afterSelf), context), afterSelf);
    });
    afterSelf.dispose();
    const output = tf.tidy(() => {
      const projected = this.#feedForwardIn.forward(this.#norm3.forward(afterCross)); // [B, L, 2 * 4C]
      return tf.add<tf.Tensor3D>(this.#feedForwardOut.forward(geglu(projected)), afterCross);
    });
    afterCross.dispose();
    return output;
  }
}
