import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../common/errors';
import bpeJson from './fixtures/byte-level-bpe-tokenizer.json';
import fixture from './fixtures/token-ids.json';
import unigramJson from './fixtures/unigram-tokenizer.json';
import { TextTokenizer } from './text-tokenizer';

const [charsmapSlot, collapseSpaces] = fixture.metaspaceOnly.normalizer.normalizers;
const metaspaceOnlyJson = {
  ...unigramJson,
  pre_tokenizer: fixture.metaspaceOnly.pre_tokenizer,
  normalizer: {
    type: 'Sequence',
    normalizers: [{ ...charsmapSlot, ...unigramJson.normalizer }, collapseSpaces],
  },
};

/** The fixture's strings are not truncated. */
const UNLIMITED = { model_max_length: 1_000_000 };

describe.each([
  ['T5 unigram', unigramJson, fixture.ids.unigram],
  ['T5 unigram, Metaspace only', metaspaceOnlyJson, fixture.ids.unigramMetaspaceOnly],
  ['byte-level BPE', bpeJson, fixture.ids.byteLevelBpe],
])('%s', (_name, json, expected) => {
  it('gives the ids of Python on 1,000 odd strings', () => {
    const tokenizer = new TextTokenizer(json, UNLIMITED);
    const different = fixture.strings.flatMap((text, i) => {
      const ids = tokenizer.encode(text).ids;
      return ids.join() === expected[i]!.join()
        ? []
        : [{ text: text.slice(0, 80), ids, expected: expected[i] }];
    });
    expect(fixture.strings).toHaveLength(1000);
    expect(different).toEqual([]);
  });
});

describe('TextTokenizer', () => {
  const tokenizer = new TextTokenizer(unigramJson);

  it('truncates and pads as truncation=True, padding=True do', () => {
    const { maxLength, ids, mask } = fixture.batch;
    const limited = new TextTokenizer(unigramJson, { model_max_length: maxLength });
    const batch = limited.encodeBatch([
      '',
      'a dog barks',
      'a dog barks and then '.repeat(40),
      'a</s>'.repeat(40),
    ]);
    expect(batch.length).toBe(maxLength);
    expect([...batch.inputIds]).toEqual(ids.flat());
    expect([...batch.attentionMask]).toEqual(mask.flat());
    expect(batch.prompts.map((prompt) => prompt.truncated)).toEqual([false, false, true, true]);
  });

  it('reads 512 tokens when the config sets no limit, and no more of 100,000 characters', () => {
    expect(tokenizer.maxTokens).toBe(512);
    expect(new TextTokenizer(unigramJson, { model_max_length: 1e30 }).maxTokens).toBe(512);
    for (const text of [
      'a dog '.repeat(16_667),
      'e'.repeat(100_000),
      '🐶 '.repeat(33_334),
      '</s>'.repeat(25_000),
    ]) {
      const { ids, truncated } = tokenizer.encode(text);
      expect(truncated).toBe(true);
      expect(ids).toHaveLength(512);
      expect(ids.at(-1)).toBe(1);
    }
  });

  it('reads lone surrogates as U+FFFD', () => {
    expect(tokenizer.encode('a \ud83d b \udc36').ids).toEqual(tokenizer.encode('a \ufffd b \ufffd').ids);
    expect(tokenizer.encode('🐶').ids).toEqual(tokenizer.encode('\ud83d\udc36').ids);
  });

  it('pads the empty prompt to the length asked for, with one token unmasked', () => {
    const batch = tokenizer.encodeBatch([''], 5);
    expect([...batch.inputIds]).toEqual([1, 0, 0, 0, 0]);
    expect([...batch.attentionMask]).toEqual([1, 0, 0, 0, 0]);
  });

  it.each([
    ['null', null],
    ['an array', []],
    ['an object of another kind', { vocab: {} }],
    ['an unknown model', { ...unigramJson, model: { type: 'Other' } }],
    [
      'a charsmap that is not base64',
      { ...unigramJson, normalizer: { type: 'Precompiled', precompiled_charsmap: '*' } },
    ],
    [
      'a charsmap cut short',
      { ...unigramJson, normalizer: { type: 'Precompiled', precompiled_charsmap: 'gAAAAA==' } },
    ],
    ['no charsmap', { ...unigramJson, normalizer: { type: 'Precompiled', precompiled_charsmap: null } }],
  ])('refuses %s', (_name, json) => {
    expect(() => new TextTokenizer(json)).toThrow(InvalidConfigError);
  });

  it('refuses a padding token that is not in the vocabulary', () => {
    expect(() => new TextTokenizer(unigramJson, { pad_token: '[PAD]' })).toThrow(/\[PAD\]/);
  });
});
