import * as tf from '@tensorflow/tfjs-core';
import { required } from '../../common/assert';

/** What one cross attention needs of the prompt. */
export interface KeysAndValues {
  readonly keys: tf.Tensor4D; // [B, N, S, D]
  readonly values: tf.Tensor4D; // [B, N, S, D]
}

/** 0: `encoder_hidden_states`, 1: AudioLDM 2's `encoder_hidden_states_1`. */
export type PromptIndex = 0 | 1;

/**
 * The prompt as the UNet's cross attentions see it: their keys and values, projected once a generation instead of
 * once a step, and the bias that hides padding.
 *
 * Made by `UNet2DConditionModel.prepareEncoderStates`; whoever asked for it disposes it.
 */
export class EncoderStates {
  constructor(
    readonly batchSize: number,
    /** By identity: each key is an `Attention`, whose module imports this one. */
    private readonly byAttention: ReadonlyMap<object, KeysAndValues>,
    /** Of each of the prompt's states: 0 where a token counts, -10000 where it is padding; null without a mask. */
    private readonly biases: readonly (tf.Tensor4D | null)[], // [B, 1, 1, S]
  ) {}

  of(attention: object): KeysAndValues {
    return required(this.byAttention.get(attention), 'keys and values prepared for this attention');
  }

  biasOf(attention: { readonly prompt: PromptIndex }): tf.Tensor4D | null {
    return this.biases[attention.prompt] ?? null;
  }

  dispose(): void {
    for (const { keys, values } of this.byAttention.values()) tf.dispose([keys, values]);
    for (const bias of this.biases) bias?.dispose();
  }
}
