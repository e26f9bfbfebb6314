import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { decodeWav } from '../../audio';
import { InvalidInputError } from '../../common/errors';
import { loadFixture } from '../../testing';
import { fakeClap } from '../../testing/fake-clap';
import { fakeSentenceEmbeddings } from '../../testing/fake-sentence-embeddings';
import { readBlob } from '../../testing/fixture';
import { MemoryStore } from './key-value-store';
import type { PreferenceEngine } from './preference-run';
import { PreferenceStore } from './preference-store';
import { Preferences } from './preferences';

const sounds = await loadFixture(new URL('../../audio/fixtures/compressed.safetensors', import.meta.url));
const fileOf = (name: string) => Uint8Array.from(sounds.values(`${name}.file`).data);
/** The left channel that soundfile reads, and its rate. */
function heard(name: string) {
  const { data, shape } = sounds.values(`${name}.samples`);
  return {
    audio: Float32Array.from(data).slice(0, shape[1]),
    sampleRateHz: Number(sounds.values(`${name}.rate`).data[0]),
  };
}
const parquet = await readBlob(new URL('../../preferences/fixtures/pairs.parquet', import.meta.url));

function open() {
  const store = new MemoryStore();
  const engine: PreferenceEngine = {
    generate: async () => [],
    clap: fakeClap(),
    sentenceEmbeddings: fakeSentenceEmbeddings(),
    modelId: () => 'tiny',
    backend: () => 'wasm',
  };
  return { store, preferences: new Preferences(engine, new PreferenceStore(store)) };
}

const maxDifference = (a: Float32Array, b: Float32Array) => {
  expect(a.length).toBe(b.length);
  return a.reduce((max, x, i) => Math.max(max, Math.abs(x - b[i]!)), 0);
};

// The decoders write their errors to the console too.
beforeEach(() => void vi.spyOn(console, 'error').mockImplementation(() => {}));
afterEach(() => void vi.restoreAllMocks());

describe('Importing pairs whose sounds are not WAV', () => {
  it('a parquet of Audio columns: each sound by its bytes, the broken pair left out and named', async () => {
    const { preferences } = open();
    const indices: number[] = [];
    const dataset = await preferences.importFiles([{ path: 'set/pairs.parquet', blob: parquet }], {
      onProgress: ({ index, count }) => indices.push(index / count),
    });
    expect(indices).toEqual([0, 1 / 3, 2 / 3]);
    expect(dataset).toMatchObject({ groupCount: 2, clipCount: 4, clipsMade: 4, promptCount: 2 });
    expect(dataset.leftOut).toEqual({
      pairCount: 1,
      reasons: [
        'set/pairs.parquet, row 2: the rejected sound does not decode. Sounds are read as WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus, but the bytes 3c 21 64 6f came. Convert it to one of these.',
      ],
    });
    expect(await preferences.datasets()).toEqual([dataset]);
    const groups = await preferences.groups(dataset.id);
    expect(groups.map(({ id, prompt }) => [id, prompt])).toEqual([
      ['0', 'a dog barks'],
      ['1', 'a bell rings'],
    ]);
    const clips = await Promise.all(
      groups
        .flatMap(({ candidates }) => candidates)
        .map(({ clipId }) => preferences.clip(dataset.id, clipId)),
    );
    const expected = ['flac.16.stereo', 'mp3.stereo', 'flac.24.mono', 'opus.short'].map(heard);
    for (const [i, { audio, sampleRateHz }] of clips.entries()) {
      expect(sampleRateHz).toBe(expected[i]!.sampleRateHz);
      const isFlac = i % 2 === 0;
      // Lossy sounds are kept in 16 bits: half a step, and what the builds of the decoders differ by.
      expect(maxDifference(audio, expected[i]!.audio)).toBeLessThanOrEqual(isFlac ? 0 : 1e-4);
    }
    expect(groups[0]!.candidates[0]!.check!.durationSeconds).toBeCloseTo(0.25, 2);
  });

  it('comes out as WAV, with the channels it had', async () => {
    const { preferences, store } = open();
    const { id } = await preferences.importFiles([{ path: 'pairs.parquet', blob: parquet }]);
    const kept = decodeWav((await store.get([id, 'clip', '0-chosen'])) as Uint8Array);
    expect(kept.channels).toHaveLength(2);
    const file = await preferences.exportFile(id, 'parquet', { votes: 'ignore' });
    expect(await preferences.importFiles([file])).toMatchObject({ groupCount: 2 });
  });

  it('keeps what goes beyond full scale, and 24 bits', async () => {
    const { preferences, store } = open();
    const louder = fileOf('opus.short');
    // The stream's output gain, +12 dB, and the checksum of the page that has it.
    const view = new DataView(louder.buffer);
    view.setInt16(28 + 16, 12 * 256, true);
    view.setUint32(22, 0, true);
    view.setUint32(22, oggChecksum(louder.subarray(0, 28 + louder[27]!)), true);
    const { id } = await preferences.importFiles(folder(louder, fileOf('flac.24.mono'), 'ogg'));
    const kept = async (clip: string) =>
      decodeWav((await store.get([id, 'clip', clip])) as Uint8Array).channels[0]!;
    const expected = heard('opus.short').audio.map((x) => x * 10 ** (12 / 20));
    expect(maxDifference(await kept('0-chosen'), expected)).toBeLessThan(1e-3);
    expect(Math.max(...expected)).toBeGreaterThan(1);
    expect(await kept('0-rejected')).toEqual(heard('flac.24.mono').audio);
  });

  it('the trainer’s folder with other endings, wrong ones too', async () => {
    const { preferences } = open();
    for (const ending of ['wav', 'FLAC', 'mp3', 'ogg', 'opus']) {
      const files = folder(fileOf('vorbis.mono'), fileOf('flac.16.mono'), ending);
      const { id } = await preferences.importFiles(files);
      const clip = await preferences.clip(id, '0-rejected');
      expect(clip).toEqual(heard('flac.16.mono'));
    }
  });

  it('keeps nothing when no sound decodes, and says which file, why, and what to do', async () => {
    const { preferences, store } = open();
    const cut = fileOf('flac.16.mono').subarray(0, 1500);
    const imported = preferences.importFiles(folder(fileOf('mp3.mono'), cut, 'flac'));
    await expect(imported).rejects.toThrow(InvalidInputError);
    await expect(imported).rejects.toThrow(
      /^chosen_0\.flac and reject_0\.flac: the rejected sound does not decode\. .*none could be read.*get it again\.$/,
    );
    expect(await store.keys()).toEqual([]);
  });

  it('keeps the split that a file named, so that a prompt in two of them is found', async () => {
    const { preferences } = open();
    const flac = fileOf('flac.16.mono');
    const [chosen, rejected] = folder(flac, fileOf('flac.24.mono'), 'flac');
    const again = [chosen!, rejected!].map(({ path, blob }) => ({ path: path.replace('_0', '_1'), blob }));
    const health = async (splits: readonly string[]) => {
      const lines = splits.map((split) => `${JSON.stringify({ captions: 'a dog barks', split })}\n`);
      const captions = { path: 'set/captions.jsonl', blob: new Blob(lines) };
      const { id } = await preferences.importFiles([chosen!, rejected!, ...again, captions]);
      return preferences.health(id);
    };
    const leaked = await health(['train', 'test']);
    expect(leaked).toMatchObject({ pairs: 2, prompts: 1 });
    const issue = { issue: 'split-leak', pairIds: ['0:0-1', '1:0-1'] };
    expect(leaked.findings).toContainEqual(issue);
    expect((await health(['test', 'test'])).findings).not.toContainEqual(issue);
  });

  it('stops at an error that is not the sound’s', async () => {
    const { preferences, store } = open();
    store.set = () => Promise.reject(new Error('full'));
    await expect(preferences.importFiles([{ path: 'pairs.parquet', blob: parquet }])).rejects.toThrow('full');
  });
});

function folder(chosen: Uint8Array, rejected: Uint8Array, ending: string) {
  return [
    { path: `set/chosen_0.${ending}`, blob: new Blob([chosen.slice()]) },
    { path: `set/reject_0.${ending}`, blob: new Blob([rejected.slice()]) },
    { path: 'set/captions.jsonl', blob: new Blob(['{"captions":"a dog barks"}\n']) },
  ];
}

function oggChecksum(page: Uint8Array): number {
  let checksum = 0;
  for (const byte of page) {
    checksum ^= byte << 24;
    for (let bit = 0; bit < 8; bit += 1) checksum = (checksum << 1) ^ (checksum < 0 ? 0x04c11db7 : 0);
  }
  return checksum >>> 0;
}
