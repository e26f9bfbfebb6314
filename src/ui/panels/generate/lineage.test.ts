import { parseBlob } from 'music-metadata';
import { expect, test } from 'vitest';
import type { Sound } from '../../../engine/protocol';
import type { TrainRun } from '../../../engine/protocol-training';
import { takeFile } from './download-take';
import { adapterLines, lineageOf } from './lineage';

const run = {
  id: 'r1',
  name: 'Töne',
  createdAt: '2026-11-27T12:00:00.000Z',
  step: 8,
  stepCount: 10,
  pairCount: 120,
  dataset: { id: 'd1', name: 'winners' },
} as TrainRun;
const parameters = {
  prompt: 'a dog barks – „loud“ 犬',
  seed: 7,
  modelId: 'default',
  adapters: [
    { id: 'r1', strength: 0.8 },
    { id: 'gone', strength: 1 },
  ],
} as unknown as Sound['parameters'];

test('a sound says which run, dataset and pairs it comes from', () => {
  const lineage = lineageOf(parameters, [run]);
  expect(adapterLines(lineage)).toEqual([
    'adapter Töne at 0.8, of 120 pairs of the dataset winners',
    'adapter removed since at 1',
  ]);
});

test('its WAV file carries that, for any reader of RIFF', async () => {
  const sound = {
    audio: new Float32Array([0, 0.5, -0.5]),
    sampleRateHz: 16_000,
    seed: 7,
    parameters,
  } as Sound;
  const { name, blob } = takeFile(sound, [run]);
  expect(name).toMatch(/\.wav$/);
  const { common, format } = await parseBlob(blob);
  expect(format).toMatchObject({ container: 'WAVE', sampleRate: 16_000, numberOfSamples: 3 });
  // This reader takes texts for Latin-1; they are UTF-8, as libsndfile and FFmpeg read them.
  expect(Buffer.from(common.title!, 'latin1').toString('utf8')).toBe(parameters.prompt);
  expect(common.encodedby).toBe('Tango Studio');
  const [comment] = common.comment ?? [];
  expect(JSON.parse(comment!.text!)).toEqual(lineageOf(parameters, [run]));
});
