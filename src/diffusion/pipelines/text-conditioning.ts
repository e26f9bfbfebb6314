import * as tf from '@tensorflow/tfjs-core';
import type {
  EncoderStates,
  UNet2DConditionConfig,
  UNet2DConditionInputs,
  UNet2DConditionModel,
} from '../../models/unet-2d-condition';
import type { EncodedPrompts } from '../../text/text-tokenizer';
import type { Plan } from './component-plan';

/** What a prompt is to the UNet: Tango's states, AudioLDM's vector beside the timestep, AudioLDM 2's two kinds of states. */
export type Conditioning = 'states' | 'class-embedding' | 'two-states';

/** The texts of a batch; unconditional rows come first. */
export interface PromptTexts {
  readonly negativePrompts: readonly string[];
  readonly prompts: readonly string[];
}

/** A batch of texts as the UNet takes them. */
export interface EncodedText {
  readonly states: tf.Tensor3D; // [B, S, D]
  readonly mask: tf.Tensor2D; // [B, S]
  /** AudioLDM 2's T5 states, of which `states` there are the language model's answer: `encoder_hidden_states_1`. */
  readonly second: { readonly states: tf.Tensor3D; readonly mask: tf.Tensor2D } | null;
  readonly prompts: EncodedPrompts;
}

/** Texts to what the UNet takes. */
export interface TextConditioner {
  readonly conditioning: Conditioning;
  /** Components that a prompt needs and the UNet does not: where there is little room, they leave while it runs. */
  readonly plans: readonly Plan<unknown>[];
  /** With the weights that are there. The caller disposes the tensors. */
  encode(texts: PromptTexts): EncodedText;
  /** Why this UNet or these tokenizers are not for these text encoders, in words. */
  problemsWith(unet: UNet2DConditionConfig): readonly string[];
}

/** What a UNet needs of it; without a mask all states count. */
interface UNetText {
  readonly states: tf.Tensor3D;
  readonly mask?: tf.Tensor2D | undefined;
  readonly second: { readonly states: tf.Tensor3D; readonly mask?: tf.Tensor2D | undefined } | null;
}

/** The tensors of a batch of texts. */
export function tensorsOf({ states, mask, second }: Omit<EncodedText, 'prompts'>): readonly tf.Tensor[] {
  return second ? [states, mask, second.states, second.mask] : [states, mask];
}

/** A batch of prompts as a UNet takes them, once a generation. */
export class UNetCondition {
  private constructor(
    readonly encoder: EncoderStates | null,
    readonly inputs: UNet2DConditionInputs,
  ) {}

  /** The texts' tensors stay the caller's. */
  static of(unet: UNet2DConditionModel, { states, mask, second }: UNetText): UNetCondition {
    if (unet.config.classEmbedding !== null) {
      return new UNetCondition(null, { classLabels: tf.squeeze<tf.Tensor2D>(states, [1]) });
    }
    const attentions = unet.crossAttentions();
    return new UNetCondition(unet.prepareEncoderStates(states, mask, attentions, second ?? undefined), {});
  }

  dispose(): void {
    this.encoder?.dispose();
    this.inputs.classLabels?.dispose();
  }
}
