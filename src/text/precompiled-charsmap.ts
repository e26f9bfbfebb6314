import { InvalidConfigError } from '../common/errors';
import { graphemes } from './graphemes';

/**
 * sentencepiece's precompiled normalisation (`precompiled_charsmap` in tokenizer.json): a double-array trie over UTF-8
 * bytes whose leaves point into a block of NUL-terminated replacements. For T5 it holds nmt_nfkc: NFKC with changes
 * for control characters and spaces.
 *
 * It follows the Rust crate that Python's `tokenizers` uses, oddities included, since the models were trained with
 * them: a grapheme of fewer than six bytes is replaced as a whole by the replacement of its *shortest* prefix in the
 * trie (so "ａ" + combining acute becomes "a"); any other text is replaced character by character.
 *
 * Source: google/sentencepiece normalizer.cc, huggingface/spm_precompiled, s-yata/darts-clone.
 */
export class PrecompiledCharsmap {
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  /** @throws InvalidConfigError when the base64 or the sizes in it are wrong. */
  constructor(base64: string) {
    const bytes = decodeBase64(base64);
    const trieBytes = bytes.byteLength >= 4 ? new DataView(bytes.buffer).getUint32(0, true) : 0;
    if (trieBytes === 0 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.byteLength) {
      throw new InvalidConfigError(
        `precompiled_charsmap should start with the size of its trie (a multiple of 4 within its ${bytes.byteLength} bytes), but says ${trieBytes}. The tokenizer.json is damaged: take it again.`,
      );
    }
    const view = new DataView(bytes.buffer, 4, trieBytes);
    this.#units = Uint32Array.from({ length: trieBytes / 4 }, (_, i) => view.getUint32(4 * i, true));
    this.#replacements = bytes.subarray(4 + trieBytes);
  }

  normalize(text: string): string {
    let out = '';
    for (const segment of graphemes(text)) {
      const whole = this.#encoder.encode(segment);
      const replacement = whole.length < 6 ? this.#replacement(whole) : null;
      out += replacement ?? this.#normalizeCharacters(segment);
    }
    return out;
  }

  #normalizeCharacters(segment: string): string {
    let out = '';
    for (const character of segment) out += this.#replacement(this.#encoder.encode(character)) ?? character;
    return out;
  }

  /** The replacement of the shortest prefix of `key` that has one. */
  #replacement(key: Uint8Array): string | null {
    let position = unitOffset(this.#units[0]!);
    for (const byte of key) {
      if (byte === 0) return null;
      position ^= byte;
      const unit = this.#units[position] ?? 0;
      if (unitLabel(unit) !== byte) return null;
      position ^= unitOffset(unit);
      if (unitHasLeaf(unit)) return this.#replacementAt((this.#units[position] ?? 0) & 0x7fffffff);
    }
    return null;
  }

  #replacementAt(start: number): string {
    const end = this.#replacements.indexOf(0, start);
    return this.#decoder.decode(this.#replacements.subarray(start, end === -1 ? undefined : end));
  }
}

// A darts-clone unit: bit 31 = value, bits 10–30 = offset, bit 9 = offset in units of 256, bit 8 = has a leaf, low byte =
// label.
const unitLabel = (unit: number): number => (unit & 0x800000ff) >>> 0;
const unitOffset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
const unitHasLeaf = (unit: number): boolean => (unit & 0x100) !== 0;

function decodeBase64(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new InvalidConfigError(
      'precompiled_charsmap should be base64, but holds other characters. The tokenizer.json is damaged: take it again.',
      { cause },
    );
  }
}
