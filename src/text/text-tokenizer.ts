import { Tokenizer } from '@huggingface/tokenizers';
import { InvalidConfigError } from '../common/errors';
import { AddedTokenSplitter } from './added-token-splitter';
import { exactNormalizer } from './exact-normalizer';
import { exactPreTokenizer } from './exact-pre-tokenizer';

/** T5's `model_max_length`, for folders whose tokenizer_config.json does not say one. */
const DEFAULT_MAX_TOKENS = 512;

export interface EncodedPrompt {
  readonly ids: readonly number[];
  /** True when the prompt was longer than the model reads: its end was cut off. */
  readonly truncated: boolean;
}

export interface EncodedPrompts {
  /** Row-major [prompts, length], padded to the longest. */
  readonly inputIds: Int32Array;
  /** Row-major [prompts, length]: 1 = token, 0 = padding. */
  readonly attentionMask: Float32Array;
  readonly length: number;
  readonly prompts: readonly EncodedPrompt[];
}

/**
 * A tokenizer.json as Python's fast tokenizers run it: the same ids for the same string.
 *
 * Strings that Python cannot hold (lone surrogates) have them replaced by U+FFFD first. Special tokens written out in
 * a prompt (`</s>`, `<extra_id_0>`) become those tokens, as in the released Tango.
 */
export class TextTokenizer {
  readonly maxTokens: number;
  readonly padTokenId: number;
  readonly vocabularySize: number;
  readonly #tokenizer: Tokenizer;
  readonly #rawTokens: AddedTokenSplitter;
  readonly #normalizedTokens: AddedTokenSplitter;
  /** Special tokens that the post-processor puts around every prompt. */
  readonly #prefix: readonly number[];
  readonly #suffix: readonly number[];

  /**
   * @param tokenizerJson content of tokenizer.json
   * @param tokenizerConfig content of tokenizer_config.json; `model_max_length` and `pad_token` are read
   * @throws InvalidConfigError when it is not a tokenizer, or of a kind that is not known here
   */
  constructor(tokenizerJson: unknown, tokenizerConfig: unknown = {}) {
    const config = isObject(tokenizerConfig) ? tokenizerConfig : {};
    this.#tokenizer = build(tokenizerJson);
    this.#tokenizer.normalizer = exactNormalizer(this.#tokenizer.normalizer);
    this.#tokenizer.pre_tokenizer = exactPreTokenizer(this.#tokenizer.pre_tokenizer);
    const added = [...this.#tokenizer.get_added_tokens_decoder().values()];
    this.#rawTokens = new AddedTokenSplitter(added.filter((token) => !token.normalized));
    this.#normalizedTokens = new AddedTokenSplitter(added.filter((token) => token.normalized));
    this.maxTokens = readMaxTokens(config.model_max_length);
    this.padTokenId = this.#readPadToken(config.pad_token);
    this.vocabularySize = Math.max(...this.#tokenizer.get_vocab().values()) + 1;
    const bare = this.#tokenizer.encode('a', { add_special_tokens: false }).ids;
    const full = this.#tokenizer.encode('a').ids;
    const start = Math.max(0, full.indexOf(bare[0] ?? -1));
    this.#prefix = full.slice(0, start);
    this.#suffix = full.slice(start + bare.length);
  }

  /** Ids of one prompt, special tokens included, cut to `maxTokens` as `truncation=True` cuts: the content's end goes. */
  encode(text: string, maxTokens = this.maxTokens): EncodedPrompt {
    const wellFormed = text.replace(/\p{Surrogate}/gu, '\ufffd');
    const content = this.#encodeContent(wellFormed);
    const room = Math.max(0, maxTokens - this.#prefix.length - this.#suffix.length);
    return {
      ids: [...this.#prefix, ...content.slice(0, room), ...this.#suffix],
      truncated: content.length > room,
    };
  }

  /**
   * Ids and masks of several prompts, padded at the end to the longest (`padding=True`).
   * @param minLength pads further, to at least this many tokens
   * @param maxTokens cuts to as many
   */
  encodeBatch(texts: readonly string[], minLength = 1, maxTokens = this.maxTokens): EncodedPrompts {
    const prompts = texts.map((text) => this.encode(text, maxTokens));
    const length = Math.max(minLength, ...prompts.map((prompt) => prompt.ids.length));
    const inputIds = new Int32Array(texts.length * length).fill(this.padTokenId);
    const attentionMask = new Float32Array(texts.length * length);
    prompts.forEach(({ ids }, row) => {
      inputIds.set(ids, row * length);
      attentionMask.fill(1, row * length, row * length + ids.length);
    });
    return { inputIds, attentionMask, length, prompts };
  }

  /**
   * Ids without the post-processor's tokens. It goes its own way through the library's parts, because
   * `Tokenizer.encode` takes a text that *becomes* a special token's name by normalisation ("＜/s＞") for that token,
   * and merges unknown tokens across words; Python does neither.
   */
  #encodeContent(text: string): number[] {
    const { normalizer } = this.#tokenizer;
    return this.#rawTokens.split(text).flatMap((section, sectionIndex) => {
      if ('tokenId' in section) return [section.tokenId];
      const normalized = normalizer ? normalizer(section.text) : section.text;
      return this.#normalizedTokens
        .split(normalized)
        .flatMap((part) => ('tokenId' in part ? [part.tokenId] : this.#encodeWords(part.text, sectionIndex)));
    });
  }

  #encodeWords(text: string, sectionIndex: number): number[] {
    const { pre_tokenizer: preTokenizer } = this.#tokenizer;
    const model = this.#tokenizer.model!;
    const words = preTokenizer ? preTokenizer(text, { section_index: sectionIndex }) : [text];
    return words.flatMap((word) =>
      model([word]).flatMap((token) => model.tokens_to_ids.get(token) ?? model.unk_token_id ?? []),
    );
  }

  #readPadToken(configured: unknown): number {
    const content = isObject(configured) ? configured.content : configured;
    const token = typeof content === 'string' ? content : '<pad>';
    const id = this.#tokenizer.token_to_id(token);
    if (id === undefined) {
      throw new InvalidConfigError(
        `The tokenizer needs a padding token, but "${token}" is not in its vocabulary. Name one as pad_token in tokenizer_config.json.`,
      );
    }
    return id;
  }
}

/** Batches of one length as one batch, in their order. */
export function joinPrompts(batches: readonly [EncodedPrompts, ...EncodedPrompts[]]): EncodedPrompts {
  const { length } = batches[0];
  const prompts = batches.flatMap((batch) => batch.prompts);
  const inputIds = new Int32Array(prompts.length * length);
  const attentionMask = new Float32Array(prompts.length * length);
  let start = 0;
  for (const batch of batches) {
    inputIds.set(batch.inputIds, start);
    attentionMask.set(batch.attentionMask, start);
    start += batch.inputIds.length;
  }
  return { inputIds, attentionMask, length, prompts };
}

function build(tokenizerJson: unknown): Tokenizer {
  if (!isObject(tokenizerJson)) {
    throw new InvalidConfigError(
      `tokenizer.json should be a JSON object, but is ${tokenizerJson === null ? 'null' : typeof tokenizerJson}.`,
    );
  }
  try {
    // The empty config: what transformers' slow tokenizers add on top (lower-casing, clean-up) is not wanted.
    return new Tokenizer(tokenizerJson, {});
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new InvalidConfigError(
      `tokenizer.json cannot be used: ${reason}. Expected a file written by Hugging Face tokenizers (Unigram or BPE).`,
      { cause },
    );
  }
}

function readMaxTokens(configured: unknown): number {
  const isLimit = typeof configured === 'number' && Number.isSafeInteger(configured) && configured > 1;
  return isLimit ? configured : DEFAULT_MAX_TOKENS;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
