import { openAsBlob } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { ClapLibrary } from '../../src/engine/host/clap-library';
import { ClapScorer } from '../../src/engine/host/clap-scorer';
import { MemoryStore } from '../../src/engine/host/key-value-store';
import { ModelStore } from '../../src/engine/host/model-store';
import type { ClapModelSummary } from '../../src/engine/protocol-clap';
import {
  CLAP_IGNORED_KEYS,
  ClapFeatureExtractor,
  ClapModel,
  openLaionReleased,
  parseClapConfig,
  parseClapFeatureExtractorConfig,
} from '../../src/models/clap';
import { ParameterRoot } from '../../src/nn';
import { expectClose, loadFixture, relativeError, startBackend } from '../../src/testing';
import { folderFromFiles, openComponentStateDict } from '../../src/weights';

/** A random CLAP of the published size against LAION's code (reference.py), on wasm. */
const FOLDER = '.cache/check-clap';
const fixture = await loadFixture(pathToFileURL(path.join(FOLDER, 'reference.safetensors')));
const wave = Float32Array.from(fixture.values('wave').data);
/** RoBERTa's special tokens; the reference's ids are taken as they are. */
const tokenizer = new Blob([
  JSON.stringify({
    version: '1.0',
    added_tokens: ['<s>', '<pad>', '</s>'].map((content, id) => ({
      ...{ id, content, special: true },
      ...{ single_word: false, lstrip: false, rstrip: false, normalized: false },
    })),
    pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
    post_processor: { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0] },
    model: { type: 'BPE', vocab: { '<s>': 0, '<pad>': 1, '</s>': 2, a: 3 }, merges: [] },
  }),
]);
const files = [
  { path: '630k-random.pt', blob: await openAsBlob(path.join(FOLDER, '630k-random.pt')) },
  { path: 'tokenizer.json', blob: tokenizer },
];

beforeAll(() => startBackend('wasm'));

it('equals LAION’s code from the published file', async () => {
  const folder = (await openLaionReleased(folderFromFiles(files)))!;
  const root = new ParameterRoot();
  const model = new ClapModel(parseClapConfig(await folder.json('config.json')), root.scope);
  await root.load(await openComponentStateDict(folder, ''), { ignoreUnexpected: CLAP_IGNORED_KEYS });
  const extractor = new ClapFeatureExtractor(
    parseClapFeatureExtractorConfig(await folder.json('preprocessor_config.json')),
  );
  const { data, frames, melBins } = extractor.extract(wave, 48_000);
  const [words, sound] = tf.tidy(() => [
    model.textFeatures(fixture.tensor('input_ids'), fixture.tensor('attention_mask')),
    model.audioFeatures(tf.tensor3d(data, [1, frames, melBins])),
  ]);
  const errors = {
    text: relativeError(await words!.data(), fixture.values('text').data),
    audio: relativeError(await sound!.data(), fixture.values('audio').data),
  };
  console.log(`${root.parameterCount} parameters; largest error of the RMS: ${JSON.stringify(errors)}`);
  await expectClose(words!, fixture.values('text'), { relativeToRms: 1e-3, label: 'text' });
  await expectClose(sound!, fixture.values('audio'), { relativeToRms: 1e-3, label: 'audio' });
  tf.dispose([words!, sound!]);
  root.dispose();
});

it('is imported, kept in float16, and read again', async () => {
  const values = new MemoryStore();
  const open = (): ClapScorer =>
    new ClapScorer(
      new ClapLibrary('http://127.0.0.1:9/', new ModelStore<ClapModelSummary>(values)),
      (signal, work) => work(signal ?? new AbortController().signal),
    );
  const kept = await open().importFiles(files);
  const { embeddings } = await open().embedAudio({ clips: [{ audio: wave, sampleRateHz: 48_000 }] });
  console.log(`kept: ${JSON.stringify(kept)}`);
  const expected = fixture.values('audio');
  expect(kept.projectionDim).toBe(512);
  await expectClose({ data: embeddings[0]!, shape: [1, 512] }, expected, { relativeToRms: 1e-2 });
});
