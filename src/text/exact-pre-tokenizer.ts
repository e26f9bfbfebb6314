import {
  ByteLevelPreTokenizer,
  MetaspacePreTokenizer,
  PreTokenizer,
  SequencePreTokenizer,
  WhitespacePreTokenizer,
  WhitespaceSplitPreTokenizer,
} from '@huggingface/tokenizers';

/** Rust's \s is White_Space; JavaScript's has U+FEFF besides and lacks U+0085. */
const NOT_SPACES = /\P{White_Space}+/gu;
const BYTE_LEVEL =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
/** Rust's \w and what is neither \w nor \s. */
const WORDS_AND_SYMBOLS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

type PreTokenize = (text: string, options: { section_index?: number } | undefined) => string[];

/** A `PreTokenizer` of @huggingface/tokenizers made of a function. */
class FunctionPreTokenizer extends PreTokenizer {
  readonly #apply: PreTokenize;

  constructor(apply: PreTokenize) {
    super();
    this.#apply = apply;
  }

  override pre_tokenize_text(text: string, options?: { section_index?: number }): string[] {
    return this.#apply(text, options);
  }
}

/** The pre-tokenizer with the parts that differ from Python's replaced. */
export function exactPreTokenizer(preTokenizer: PreTokenizer | null): PreTokenizer | null {
  if (preTokenizer instanceof SequencePreTokenizer) {
    preTokenizer.tokenizers = preTokenizer.tokenizers.map(exactPreTokenizer);
    return preTokenizer;
  }
  if (preTokenizer instanceof WhitespaceSplitPreTokenizer) {
    return new FunctionPreTokenizer((text) => text.match(NOT_SPACES) ?? []);
  }
  if (preTokenizer instanceof WhitespacePreTokenizer) {
    return new FunctionPreTokenizer((text) => text.match(WORDS_AND_SYMBOLS) ?? []);
  }
  if (preTokenizer instanceof ByteLevelPreTokenizer) {
    preTokenizer.pattern = BYTE_LEVEL;
    return preTokenizer;
  }
  if (preTokenizer instanceof MetaspacePreTokenizer) {
    // Python also splits before each replacement character, which bounds the length of what the model is given.
    const { replacement } = preTokenizer;
    return new FunctionPreTokenizer((text, options) =>
      preTokenizer.pre_tokenize_text(text, options).flatMap((piece) => splitBefore(piece, replacement)),
    );
  }
  return preTokenizer;
}

function splitBefore(text: string, separator: string): string[] {
  const [head, ...rest] = text.split(separator);
  const pieces = rest.map((part) => separator + part);
  return head ? [head, ...pieces] : pieces;
}
