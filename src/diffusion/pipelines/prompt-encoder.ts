import * as tf from '@tensorflow/tfjs-core';
import { giveIdleBuffersBack } from '../../gpu/device';
import type { EncodedPrompts, TextTokenizer } from '../../text/text-tokenizer';
import { readTensor, type TensorData } from '../tensor-layout';
import type { Plan } from './tango-components';
import type { TextEncoder } from './text-conditioning';

/** A batch of texts as the UNet takes them. */
export interface EncodedText {
  readonly states: tf.Tensor3D; // [B, S, D]
  readonly mask: tf.Tensor2D; // [B, S]
  readonly prompts: EncodedPrompts;
}

/**
 * Texts to what the UNet takes. A text encoder may be a quarter of a model, and is idle while the UNet runs: where there
 * is little room its weights leave the backend then, and come back for the next prompt that is another one.
 */
export class PromptEncoder {
  readonly #tokenizer: TextTokenizer;
  readonly #component: Plan<TextEncoder>;
  readonly #transient: boolean;
  /** What the last texts gave, for takes of one prompt. */
  #last: { readonly key: string; readonly states: TensorData; readonly mask: TensorData } | null = null;

  /** @param transient whether `makeRoom` frees the weights */
  constructor(tokenizer: TextTokenizer, component: Plan<TextEncoder>, transient: boolean) {
    this.#tokenizer = tokenizer;
    this.#component = component;
    this.#transient = transient;
  }

  /** @throws the signal's reason, and what reading the weights throws when they have to come back */
  async encode(texts: readonly string[], signal?: AbortSignal): Promise<EncodedText> {
    if (!this.#transient) return this.encodeNow(texts);
    const key = JSON.stringify(texts);
    if (this.#last?.key === key) {
      const { states, mask } = this.#last;
      return {
        states: tf.tensor3d(states.data, [...states.shape] as [number, number, number]),
        mask: tf.tensor2d(mask.data, [...mask.shape] as [number, number]),
        prompts: this.#tokenizer.encodeBatch(texts),
      };
    }
    const { parameters, stateDict, ignoreUnexpected } = this.#component;
    if (parameters.byteLength === 0) {
      giveIdleBuffersBack();
      await parameters.load(stateDict, { ignoreUnexpected, ...(signal ? { signal } : {}) });
    }
    const text = this.encodeNow(texts);
    this.#last = { key, states: await readTensor(text.states), mask: await readTensor(text.mask) };
    return text;
  }

  /** With the weights that are there. */
  encodeNow(texts: readonly string[]): EncodedText {
    const prompts = this.#tokenizer.encodeBatch(texts);
    const shape: [number, number] = [texts.length, prompts.length];
    const { model } = this.#component;
    const { states, mask } = tf.tidy(() => {
      const mask = tf.tensor2d(prompts.attentionMask, shape); // [B, L]
      const inputIds = tf.tensor2d(prompts.inputIds, shape, 'int32'); // [B, L]
      const states = model.forward(inputIds, mask);
      // An embedding of the whole text is one state, which counts.
      return {
        states,
        mask: model.conditioning === 'states' ? mask : tf.ones<tf.Rank.R2>([texts.length, 1]),
      };
    });
    return { states, mask, prompts };
  }

  /** The UNet runs next: call it when what was encoded has been computed. */
  makeRoom(): void {
    const { parameters } = this.#component;
    if (!this.#transient || parameters.byteLength === 0) return;
    parameters.dispose();
    giveIdleBuffersBack();
  }
}
