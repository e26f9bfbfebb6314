import { afterEach, describe, expect, it } from 'vitest';
import { tinyAudioldm, tinyAudioldm2, tinyTango } from '../../testing';
import { openTinyEngine, TINY_RATE_HZ, type TinyEngine, tinyClip } from '../../testing/tiny-engine';
import type { TrainingClip, TrainingPair, TrainProgress, TrainRequest, TrainRun } from '../protocol-training';
import { MemoryStore } from './key-value-store';

/** What a person may give that no run can use: a clear word each, and nothing is kept or lost. */

const tiny = await tinyTango();
const PAIRS: readonly TrainingPair[] = ['a dog', 'a bell rings'].map((prompt, i) => ({
  prompt,
  winner: tinyClip(i + 1, true),
  loser: tinyClip(i + 1, false),
}));
const REQUEST: TrainRequest = {
  pairs: PAIRS,
  rank: 2,
  alpha: 2,
  sftEpochs: 1,
  dpoEpochs: 0,
  pairsPerStep: 2,
};

const opened: TinyEngine[] = [];
afterEach(() => {
  for (const { host } of opened.splice(0)) host.dispose();
});

async function open(training = new MemoryStore(), files = tiny): Promise<TinyEngine> {
  const engine = await openTinyEngine(files, training);
  opened.push(engine);
  return engine;
}

const samples = (count: number, valueAt: (t: number) => number): TrainingClip => ({
  audio: Float32Array.from({ length: count }, (_, t) => valueAt(t)),
  sampleRateHz: TINY_RATE_HZ,
});
const square = (t: number): number => (t % 20 < 10 ? 1 : -1);
/** The first pair with another winner or loser, and the second. */
const withClip = (change: Partial<TrainingPair>): TrainRequest => ({
  pairs: [{ ...PAIRS[0]!, ...change }, PAIRS[1]!],
});

describe('A run refuses, in words,', () => {
  it.each<[string, TrainRequest, RegExp]>([
    ['no pairs: all votes are ties', { pairs: [] }, /at least one pair.*none came.*ties.*vote on more/],
    ['one pair', { pairs: PAIRS.slice(0, 1) }, /One pair.*needs two at least/],
    ['a pair of one sound', withClip({ loser: PAIRS[0]!.winner }), /pair "1" is a tie.*Leave it out/],
    ['silence', withClip({ loser: samples(1600, () => 0) }), /loser of the pair "1" is silent/],
    ['clipping', withClip({ winner: samples(1600, square) }), /winner of the pair "1" is clipped: 100 %/],
    ['a click', withClip({ winner: samples(20, square) }), /too short: 0.01 s, where 0.1 s is the least/],
    ['NaN', withClip({ winner: samples(1600, () => Number.NaN) }), /winner of the pair "1" has NaN/],
    ['12 Hz', withClip({ winner: { ...tinyClip(1, true), sampleRateHz: 12 } }), /1000…384000.*12 Hz came/],
    ['no prompt', withClip({ prompt: ' ' }), /pair "1" needs a prompt/],
    ['learning rate 1e3', { learningRate: 1e3 }, /learningRate is a number from 0 to 0.1, but 1000 came/],
    ['a negative learning rate', { learningRate: -1 }, /learningRate.*-1 came/],
    ['beta 0', { beta: 0 }, /beta is a number from 1 to 1000000, but 0 came/],
    ['beta 1e9', { beta: 1e9 }, /beta is a number from 1 to 1000000, but 1000000000 came/],
    [
      'unknown layers',
      { targets: 'everything' as 'attention' },
      /targets is "attention" or .*but everything came/,
    ],
    ['rank 0', { rank: 0 }, /rank is a whole number of at least 1, but 0 came/],
    ['rank 4096', { rank: 4096 }, /rank of 4096 is more than the layer "down_blocks.*choose 1 to \d+\./],
    ['a minute', { durationSeconds: 60 }, /durationSeconds is a number from 1 to 10.24, but 60 came/],
    ['an empty sample prompt', { samplePrompts: [' '] }, /prompt is empty/],
    ['no validation', { validateEverySteps: 0 }, /validateEverySteps/],
  ])('%s', async (_, change, message) => {
    const store = new MemoryStore();
    const { host } = await open(store);
    const heard: TrainProgress[] = [];
    const job = host.train.start({ ...REQUEST, ...change }, { onProgress: (one) => heard.push(one) });
    await expect(job).rejects.toMatchObject({
      code: 'invalid-input',
      message: expect.stringMatching(message),
    });
    // Before the pairs are read, which takes minutes of a real dataset.
    expect(heard).toEqual([]);
    expect(await store.keys()).toEqual([]);
  });

  it.each([
    ['AudioLDM', async () => ({ ...tiny, ...(await tinyAudioldm()) })],
    ['AudioLDM 2', tinyAudioldm2],
  ])('%s, which can generate only', async (name, model) => {
    const { host } = await open(new MemoryStore(), await model());
    const heard: TrainProgress[] = [];
    const words = new RegExp(`Tango family.*\\(${name}\\).*Choose another model`);
    await expect(host.train.start(REQUEST, { onProgress: (one) => heard.push(one) })).rejects.toThrow(words);
    // Nor is it said what a run would take.
    await expect(host.train.estimate({}, 1)).rejects.toThrow(words);
    expect(heard).toEqual([]);
    expect(await host.train.runs()).toEqual([]);
  });
});

describe('A run takes, and says what it does with them,', () => {
  async function remarksOn(pairs: readonly TrainingPair[]): Promise<readonly string[]> {
    const { host } = await open();
    const run = await host.train.start({ ...REQUEST, pairs });
    expect(await host.train.runs()).toEqual([run]);
    return run.remarks!;
  }

  it('nothing to say of plain pairs', async () => {
    expect(await remarksOn(PAIRS)).toEqual([]);
  });

  it('sounds longer than the model’s, of which the beginning is used', async () => {
    const long = samples(12 * TINY_RATE_HZ, (t) => 0.4 * Math.sin(t / 9));
    expect(await remarksOn([{ ...PAIRS[0]!, winner: long }, PAIRS[1]!])).toEqual([
      'Of 1 clip longer than 10.24 s the beginning is used.',
    ]);
  });

  it('other sample rates: the sounds are the same to the model', async () => {
    const tones = (sampleRateHz: number): readonly TrainingPair[] =>
      [1, 2].map((i) => ({
        prompt: `tone ${i}`,
        winner: tinyClip(i, true, sampleRateHz),
        loser: tinyClip(i + 40, true, sampleRateHz),
      }));
    const { host } = await open();
    const errors: number[] = [];
    for (const sampleRateHz of [TINY_RATE_HZ, 44_100]) {
      const run = await host.train.start({ ...REQUEST, pairs: tones(sampleRateHz) });
      if (sampleRateHz === 44_100) {
        expect(run.remarks).toEqual(['Clips at 44.1 kHz are converted to 1.6 kHz.']);
      }
      errors.push((await host.train.metrics(run.id))[0]!.mseWinner);
    }
    expect(Math.abs(errors[1]! / errors[0]! - 1)).toBeLessThan(0.01);
  });

  it('prompts that repeat, pairs that repeat, and pairs that contradict', async () => {
    const [dog, bell] = PAIRS as [TrainingPair, TrainingPair];
    const against = { prompt: 'A bell rings.', winner: bell.loser, loser: bell.winner };
    expect(await remarksOn([dog, { ...dog, prompt: 'A dog.' }, bell, against])).toEqual([
      '4 pairs share their prompt: they are trained or held out together.',
      '1 copy of other pairs: each counts again; leave them out for an even weight.',
      '2 pairs contradict one another and cancel out: vote on them again.',
    ]);
  });
});

describe('An adapter', () => {
  it('of another model is refused, by generate and on import; nothing of it is kept', async () => {
    const store = new MemoryStore();
    const { host } = await open(store);
    const run = await host.train.start(REQUEST);
    const files = await host.train.exportAdapter(run.id);
    const other = await host.models.importFiles((await tinyTango('F16')).files);
    const request = { prompt: 'a dog', steps: 2, durationSeconds: 1, modelId: other.id };
    await expect(host.generate({ ...request, adapters: [{ id: run.id, strength: 1 }] })).rejects.toThrow(
      /is of the model ".*", but ".*" was asked for. Use them together/,
    );
    const stranger = files.map(({ path, blob }) => ({ path, blob }));
    const config = JSON.parse(await stranger[1]!.blob.text());
    stranger[1] = { ...stranger[1]!, blob: new Blob([JSON.stringify({ ...config, r: 7 })]) };
    await expect(host.train.importAdapter(stranger)).rejects.toThrow(
      /should be \[7, \d+\] in this model, got \[2, \d+\].*the model that it was trained for/,
    );
    expect(await host.train.runs()).toEqual([run]);
  });
});

describe('What a newer studio wrote', () => {
  /** A run of this studio whose record, or whose checkpoints, say that a newer one wrote them. */
  async function madeNewer(kind: 'run' | 'complete'): Promise<{ store: MemoryStore; run: TrainRun }> {
    const store = new MemoryStore();
    const { host } = await open(store);
    const run = await host.train.start({ ...REQUEST, dpoEpochs: 1 });
    for (const key of await store.keys()) {
      if (key.at(-1) !== kind) continue;
      await store.set(key, { ...((await store.get(key)) as object), schemaVersion: 2 });
    }
    await store.set([run.id, 'kept'], 'by the newer one');
    return { store, run };
  }

  it('is named in the list, and left as it is', async () => {
    const { store, run } = await madeNewer('run');
    const before = await store.keys();
    const { host } = opened.at(-1)!;
    expect(await host.train.runs()).toMatchObject([
      { id: run.id, name: run.name, state: 'newer', failure: expect.stringMatching(/newer version/) },
    ]);
    const message = /newer version of the studio \(format 2, this one reads 1\). Reload the page/;
    await expect(host.train.resume(run.id)).rejects.toThrow(message);
    await expect(host.train.rename(run.id, { name: 'x' })).rejects.toThrow(message);
    await expect(host.train.remove(run.id)).rejects.toThrow(message);
    await expect(host.train.exportAdapter(run.id)).rejects.toMatchObject({ code: 'storage' });
    expect(await store.keys()).toEqual(before);
  });

  it('as a checkpoint is neither resumed from nor written over', async () => {
    const { store, run } = await madeNewer('complete');
    await store.set([run.id, 'run'], { schemaVersion: 1, run: { ...run, state: 'stopped', step: 1 } });
    const before = await store.keys();
    const { host } = opened.at(-1)!;
    await expect(host.train.resume(run.id)).rejects.toThrow(/checkpoint was written by a newer version/);
    expect(await store.keys()).toEqual(before);
  });
});
