import {
  BertNormalizer,
  LowercaseNormalizer,
  NFCNormalizer,
  NFDNormalizer,
  NFKCNormalizer,
  NFKDNormalizer,
  Normalizer,
  PrecompiledNormalizer,
  SequenceNormalizer,
} from '@huggingface/tokenizers';
import { InvalidConfigError } from '../common/errors';
import { PrecompiledCharsmap } from './precompiled-charsmap';

/**
 * Characters that have a (compatibility) decomposition in newer Unicode versions only. Python's `tokenizers` has the
 * tables of Unicode 11 and leaves them as they are; a browser would decompose as many of them as its version knows.
 */
const NEWER_THAN_UNICODE_11 =
  /([\u32FF\uA7F1-\uA7F4\uAB69\u{105C9}\u{105E4}\u{10781}-\u{107BA}\u{11383}-\u{113C8}\u{11938}\u{16121}-\u{16128}\u{16D68}-\u{16D6A}\u{1CCD6}-\u{1CCF9}\u{1E030}-\u{1E06D}\u{1F16C}\u{1FBF0}-\u{1FBF9}]+)/u;

/** Control characters but for tab and ends of lines, and what stands for a character that could not be read. */
const NO_TEXT = /(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\0\ufffd]/gu;
/** Unified ideographs and their compatibility forms, each of which is a word. */
const CJK =
  /[\u4E00-\u9FFF\u3400-\u4DBF\uF900-\uFAFF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\u{2F800}-\u{2FA1F}]/gu;

/** A `Normalizer` of @huggingface/tokenizers made of a function. */
class FunctionNormalizer extends Normalizer {
  readonly #apply: (text: string) => string;

  constructor(config: Normalizer['config'], apply: (text: string) => string) {
    super(config);
    this.#apply = apply;
  }

  override normalize(text: string): string {
    return this.#apply(text);
  }
}

/**
 * The normalizer with the parts that differ from Python's replaced: @huggingface/tokenizers approximates a precompiled
 * charsmap by NFKC and a list of control characters, and normalises by the engine's Unicode version.
 *
 * @throws InvalidConfigError when a Precompiled normalizer has no charsmap.
 */
export function exactNormalizer(normalizer: Normalizer | null): Normalizer | null {
  if (normalizer instanceof SequenceNormalizer) {
    normalizer.normalizers = normalizer.normalizers.map(exactNormalizer);
    return normalizer;
  }
  if (normalizer instanceof PrecompiledNormalizer) {
    const charsmap = new PrecompiledCharsmap(readCharsmap(normalizer.charsmap));
    return new FunctionNormalizer(normalizer.config, (text) => charsmap.normalize(text));
  }
  if (normalizer instanceof LowercaseNormalizer) {
    return new FunctionNormalizer(normalizer.config, lowerCase);
  }
  if (normalizer instanceof BertNormalizer) {
    const { config } = normalizer;
    return new FunctionNormalizer(config, (text) => normalizeAsBert(text, config));
  }
  if (
    normalizer instanceof NFCNormalizer ||
    normalizer instanceof NFDNormalizer ||
    normalizer instanceof NFKCNormalizer ||
    normalizer instanceof NFKDNormalizer
  ) {
    const { form } = normalizer;
    return new FunctionNormalizer(normalizer.config, (text) => normalizeAsUnicode11(text, form));
  }
  return normalizer;
}

/** Letter by letter, as Rust does: `toLowerCase` of a word would end Greek ones in ς. */
function lowerCase(text: string): string {
  return Array.from(text, (character) => character.toLowerCase()).join('');
}

/** As `tokenizers`' normalizers/bert.rs; @huggingface/tokenizers takes UTF-16 units for characters on the way. */
function normalizeAsBert(text: string, config: BertNormalizer['config']): string {
  let result = text;
  if (config.clean_text) result = result.replace(NO_TEXT, '').replace(/\p{White_Space}/gu, ' ');
  if (config.handle_chinese_chars) result = result.replace(CJK, ' $& ');
  if (config.strip_accents ?? config.lowercase) {
    result = normalizeAsUnicode11(result, 'NFD').replace(/\p{Mn}/gu, '');
  }
  return config.lowercase ? lowerCase(result) : result;
}

function normalizeAsUnicode11(text: string, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): string {
  // The pattern captures, so every second part is a run of characters to keep.
  return text
    .split(NEWER_THAN_UNICODE_11)
    .map((part, i) => (i % 2 === 0 ? part.normalize(form) : part))
    .join('');
}

function readCharsmap(charsmap: unknown): string {
  if (typeof charsmap === 'string') return charsmap;
  throw new InvalidConfigError(
    'tokenizer.json: a Precompiled normalizer needs its precompiled_charsmap, but has none. Take the file again from the model it belongs to.',
  );
}
