import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { InvalidInputError, ModelNotFoundError, type StudioError } from '../../common/errors';
import { expectClose, loadFixture, readBlob, startBackend } from '../../testing';
import type { ModelFile } from '../protocol';
import type { ClapModelSummary } from '../protocol-clap';
import { ClapLibrary } from './clap-library';
import { ClapScorer } from './clap-scorer';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';

const NOWHERE = 'http://127.0.0.1:9/models/';
const FIXTURES = '../../models/clap/fixtures';
const PT = await readBlob(new URL(`${FIXTURES}/laion-tiny.pt`, import.meta.url));
const reference = await loadFixture(new URL(`${FIXTURES}/laion-tiny.safetensors`, import.meta.url));
const WAVE = Float32Array.from(reference.values('wave').data);
const LETTERS = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234'];

/** RoBERTa's form with a token for each letter, so that a prompt can spell the reference's ids. */
function tokenizer(): Blob {
  const specials = ['<s>', '<pad>', '</s>'];
  const tokens = [...specials, ...LETTERS];
  return new Blob([
    JSON.stringify({
      version: '1.0',
      added_tokens: specials.map((content, id) => ({
        ...{ id, content, special: true },
        ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
      })),
      normalizer: null,
      pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
      post_processor: { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0] },
      decoder: { type: 'ByteLevel' },
      model: {
        type: 'BPE',
        ...{ dropout: null, unk_token: null, fuse_unk: false, byte_fallback: false },
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: [],
      },
    }),
  ]);
}

/** The first row of the reference's ids, without <s> and </s>, in letters. */
const PROMPT = Array.from(reference.values('input_ids').data.slice(1, 8), (id) => LETTERS[id - 3]).join('');

function filesOf(pt: Blob): readonly ModelFile[] {
  return [
    { path: '630k-audioset-best.pt', blob: pt },
    { path: 'tokenizer.json', blob: tokenizer() },
  ];
}

function openScorer(values = new MemoryStore()): ClapScorer {
  const library = new ClapLibrary(NOWHERE, new ModelStore<ClapModelSummary>(values));
  return new ClapScorer(library, (signal, work) => work(signal ?? new AbortController().signal));
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'no error',
    (error: StudioError) => error.code,
  );

beforeAll(() => startBackend('wasm'));

test('an imported checkpoint of LAION gives the score that laion_clap gives, under its name, and frees what it held', async () => {
  const scorer = openScorer();
  const before = tf.memory().numTensors;
  const model = await scorer.importFiles(filesOf(PT));
  expect(model).toMatchObject({ name: 'CLAP 630k-audioset-best', source: 'imported', projectionDim: 32 });
  expect(await scorer.models()).toEqual([model]);
  const [scores] = await scorer.score({ items: [{ prompt: PROMPT, audio: WAVE, sampleRateHz: 48_000 }] });
  const [words, sound] = ['text', 'audio'].map((name) =>
    Float32Array.from(reference.values(name).data.slice(0, 32)),
  );
  const expected = words!.reduce((sum, x, i) => sum + x * sound![i]!, 0);
  expect(scores).toEqual([{ modelId: model.id, modelName: model.name, score: expect.closeTo(expected, 4) }]);
  const { embeddings } = await scorer.embedText({ prompts: [PROMPT, 'other'] });
  await expectClose(
    { data: embeddings[0]!, shape: [32] },
    { data: words!, shape: [32] },
    { relativeToRms: 1e-3 },
  );
  scorer.releaseAll();
  expect(tf.memory().numTensors).toBe(before);
});

test('what was imported is there on the next visit, and can be removed', async () => {
  const values = new MemoryStore();
  const { id } = await openScorer(values).importFiles(filesOf(PT));
  const later = openScorer(values);
  const clips = [{ audio: WAVE, sampleRateHz: 48_000 }];
  const { embeddings } = await later.embedAudio({ clips, modelId: id });
  await expectClose({ data: embeddings[0]!, shape: [1, 32] }, reference.values('audio'), {
    relativeToRms: 1e-3,
  });
  expect(await later.models()).toMatchObject([{ id, loaded: true, precision: 'float32' }]);
  await later.unload(id);
  expect((await later.models())[0]).not.toHaveProperty('loaded');
  expect(await later.verify(id)).toEqual({ damaged: [] });
  await expect(later.verify('default-clap-1')).rejects.toThrow(InvalidInputError);
  await later.remove(id);
  expect(await later.models()).toEqual([]);
  later.releaseAll();
});

test('a long sound is cropped at a place that its seed decides', async () => {
  const scorer = openScorer();
  await scorer.importFiles(filesOf(PT));
  const audio = Float32Array.from({ length: 12 * 48_000 }, (_, i) => Math.sin(i * i * 1e-7) / 2);
  const score = async (seed: number): Promise<number> => {
    const [[first] = []] = await scorer.score({
      items: [{ prompt: PROMPT, audio, sampleRateHz: 48_000 }],
      seed,
    });
    return first!.score;
  };
  expect(await score(1)).toBe(await score(1));
  expect(await score(1)).not.toBe(await score(2));
  scorer.releaseAll();
});

test('nothing is kept of files that are no CLAP, or not all of one', async () => {
  const scorer = openScorer();
  await expect(scorer.importFiles([{ path: 'a.pt', blob: PT }])).rejects.toThrow(ModelNotFoundError);
  await expect(scorer.importFiles(filesOf(PT.slice(0, 5000)))).rejects.toThrow();
  expect(await scorer.models()).toEqual([]);
});

test('without any CLAP a score says so; wrong requests are named', async () => {
  const scorer = openScorer();
  const item = { prompt: 'a', audio: WAVE, sampleRateHz: 48_000 };
  expect(await codeOf(scorer.score({ items: [item] }))).toBe('model-not-found');
  expect(await codeOf(scorer.score({ items: [item], modelIds: ['none'] }))).toBe('model-not-found');
  await expect(scorer.score({ items: [{ ...item, sampleRateHz: 0.5 }] })).rejects.toThrow(InvalidInputError);
  await expect(scorer.score({ items: [item], seed: -1 })).rejects.toThrow('seed');
  expect(await scorer.score({ items: [] })).toEqual([]);
});
