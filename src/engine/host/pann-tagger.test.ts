import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { resample } from '../../audio';
import { InvalidInputError, JobCancelledError, ModelNotFoundError } from '../../common/errors';
import { audiosetClasses } from '../../models/pann-cnn14';
import { loadFixture, readBlob, startBackend } from '../../testing';
import type { PannModelSummary } from '../protocol-panns';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';
import { PannLibrary } from './pann-library';
import { PannTagger } from './pann-tagger';

const FIXTURES = '../../models/pann-cnn14/fixtures';
const PTH = await readBlob(new URL(`${FIXTURES}/cnn14-16k.pth`, import.meta.url));
const reference = await loadFixture(new URL(`${FIXTURES}/cnn14-16k.safetensors`, import.meta.url));
const WAVE = Float32Array.from(reference.values('wave').data);
const FILES = [{ path: 'Cnn14_16k_mAP=0.438.pth', blob: PTH }];
const sound = { audio: WAVE, sampleRateHz: 16_000 };

function openTagger(values = new MemoryStore()): PannTagger {
  const library = new PannLibrary(new ModelStore<PannModelSummary>(values));
  return new PannTagger(library, (signal, work) => work(signal ?? new AbortController().signal));
}

beforeAll(() => startBackend('wasm'));

test('an imported Cnn14 names the classes that panns_inference finds likeliest, and frees what it held', async () => {
  const panns = openTagger();
  const before = tf.memory().numTensors;
  const model = await panns.importFiles(FILES);
  expect(model).toMatchObject({
    name: 'PANNs Cnn14, 16 kHz',
    source: 'imported',
    precision: 'float32',
    license: null,
    sampleRateHz: 16_000,
  });
  expect(await panns.models()).toEqual([model]);
  const names = await audiosetClasses();
  const expected = [...reference.values('clipwise_output').data]
    .map((probability, i) => ({
      label: names[i]!,
      probability: expect.closeTo(probability, 4),
      key: probability,
    }))
    .toSorted((a, b) => b.key - a.key)
    .map(({ label, probability }) => ({ label, probability }));
  expect(await panns.tag(sound)).toEqual(expected.slice(0, 5));
  expect(await panns.tag({ ...sound, modelId: model.id, count: 20 })).toEqual(expected.slice(0, 20));
  panns.releaseAll();
  expect(tf.memory().numTensors).toBe(before);
});

test('a model is in memory from when it is asked until it is unloaded', async () => {
  const panns = openTagger();
  const model = await panns.importFiles(FILES);
  const before = tf.memory().numTensors;
  await panns.tag(sound);
  expect(await panns.models()).toEqual([{ ...model, loaded: true }]);
  expect(tf.memory().numTensors).toBeGreaterThan(before);
  await panns.unload('another');
  expect(await panns.models()).toEqual([{ ...model, loaded: true }]);
  await panns.unload(model.id);
  expect(await panns.models()).toEqual([model]);
  expect(tf.memory().numTensors).toBe(before);
});

test('a sound at another rate is brought to the model’s', async () => {
  const panns = openTagger();
  await panns.importFiles(FILES);
  const audio = resample(WAVE, 16_000, 44_100);
  const [direct] = await panns.tag({ audio: resample(audio, 44_100, 16_000), sampleRateHz: 16_000 });
  expect(await panns.tag({ audio, sampleRateHz: 44_100, count: 1 })).toEqual([direct]);
  panns.releaseAll();
});

test('what was imported is there on the next visit with its variant, is checked, mended by its files, and can be removed', async () => {
  const values = new MemoryStore();
  const { id } = await openTagger(values).importFiles(FILES);
  expect((await openTagger(values).importFiles(FILES)).id).toBe(id);
  const later = openTagger(values);
  const first = await openTagger(values).tag(sound);
  expect(await later.tag({ ...sound, modelId: id })).toEqual(first);
  expect(await later.verify(id)).toEqual({ damaged: [] });
  const weights = (await values.keys()).find(
    ([, kind, path]) => kind === 'file' && path === 'model.safetensors',
  );
  const chunk = (await values.get(weights!)) as { blob: Blob; sha256: string };
  await values.set(weights!, { ...chunk, blob: new Blob([new Uint8Array(chunk.blob.size)]) });
  expect(await later.verify(id)).toEqual({ damaged: ['model.safetensors'] });
  expect(await later.models()).toMatchObject([{ id, state: 'broken' }]);
  const mended = await later.importFiles(FILES);
  expect(await later.models()).toEqual([{ ...mended, loaded: true }]);
  expect(await later.verify(id)).toEqual({ damaged: [] });
  await later.remove(id);
  expect(await later.models()).toEqual([]);
  expect(await values.keys()).toEqual([]);
  await expect(later.tag(sound)).rejects.toThrow(ModelNotFoundError);
  await expect(later.verify(id)).rejects.toThrow(ModelNotFoundError);
  await expect(later.remove(id)).rejects.toThrow(ModelNotFoundError);
});

test('nothing is kept of files that are no Cnn14; wrong requests are named; a cancelled one says so', async () => {
  const panns = openTagger();
  await expect(panns.importFiles([{ path: 'Cnn14.pth', blob: PTH.slice(0, 5000) }])).rejects.toThrow();
  await expect(panns.importFiles([])).rejects.toThrow(InvalidInputError);
  expect(await panns.models()).toEqual([]);
  await expect(panns.tag(sound)).rejects.toThrow(/no PANNs in this browser/);
  await panns.importFiles(FILES);
  await expect(panns.tag({ ...sound, modelId: 'none' })).rejects.toThrow(/There are: panns-cnn14-16-khz-/);
  await expect(panns.tag({ ...sound, count: 0 })).rejects.toThrow('count is a whole number from 1 to 527');
  await expect(panns.tag({ ...sound, sampleRateHz: 0.5 })).rejects.toThrow('sampleRateHz');
  const cancel = new AbortController();
  const hearing = panns.tag(sound, { signal: cancel.signal });
  cancel.abort(new JobCancelledError('The job was cancelled.'));
  await expect(hearing).rejects.toThrow(JobCancelledError);
  panns.releaseAll();
});
