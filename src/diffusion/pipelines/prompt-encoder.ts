import * as tf from '@tensorflow/tfjs-core';
import { giveIdleBuffersBack } from '../../gpu/device';
import type { EncodedPrompts } from '../../text/text-tokenizer';
import { readTensor, type TensorData } from '../tensor-layout';
import type { EncodedText, PromptTexts, TextConditioner } from './text-conditioning';

/** A batch of texts away from the backend. */
interface KeptText {
  readonly key: string;
  readonly states: TensorData;
  readonly mask: TensorData;
  readonly second: { readonly states: TensorData; readonly mask: TensorData } | null;
  readonly prompts: EncodedPrompts;
}

/**
 * Texts to what the UNet takes. Text encoders may be a quarter of a model, and are idle while the UNet runs: where there
 * is little room their weights leave the backend then, and come back for the next prompt that is another one.
 */
export class PromptEncoder {
  readonly #text: TextConditioner;
  readonly #transient: boolean;
  /** What the last texts gave, for takes of one prompt. */
  #last: KeptText | null = null;

  /** @param transient whether `makeRoom` frees the weights */
  constructor(text: TextConditioner, transient: boolean) {
    this.#text = text;
    this.#transient = transient;
  }

  /** @throws the signal's reason, and what reading the weights throws when they have to come back */
  async encode(texts: PromptTexts, signal?: AbortSignal): Promise<EncodedText> {
    if (!this.#transient) return this.encodeNow(texts);
    const key = JSON.stringify([texts.negativePrompts, texts.prompts]);
    if (this.#last?.key === key) return onBackend(this.#last);
    const absent = this.#text.plans.filter(({ parameters }) => parameters.byteLength === 0);
    if (absent.length > 0) giveIdleBuffersBack();
    for (const { parameters, stateDict, ignoreUnexpected } of absent) {
      await parameters.load(stateDict, { ignoreUnexpected, ...(signal ? { signal } : {}) });
    }
    const text = this.encodeNow(texts);
    this.#last = {
      key,
      prompts: text.prompts,
      ...(await read(text)),
      second: text.second && (await read(text.second)),
    };
    return text;
  }

  /** With the weights that are there. */
  encodeNow(texts: PromptTexts): EncodedText {
    return this.#text.encode(texts);
  }

  /** The UNet runs next: call it when what was encoded has been computed. */
  makeRoom(): void {
    if (!this.#transient) return;
    const present = this.#text.plans.filter(({ parameters }) => parameters.byteLength > 0);
    for (const { parameters } of present) parameters.dispose();
    if (present.length > 0) giveIdleBuffersBack();
  }
}

async function read({ states, mask }: Pick<EncodedText, 'states' | 'mask'>): Promise<{
  states: TensorData;
  mask: TensorData;
}> {
  return { states: await readTensor(states), mask: await readTensor(mask) };
}

function onBackend({ states, mask, second, prompts }: KeptText): EncodedText {
  const tensors = (kept: { readonly states: TensorData; readonly mask: TensorData }) => ({
    states: tf.tensor3d(kept.states.data, [...kept.states.shape] as [number, number, number]),
    mask: tf.tensor2d(kept.mask.data, [...kept.mask.shape] as [number, number]),
  });
  return { ...tensors({ states, mask }), second: second && tensors(second), prompts };
}
