import { parquetReadObjects } from 'hyparquet';
import Papa from 'papaparse';
import { describe, expect, it, vi } from 'vitest';
import { encodeWav } from '../../audio';
import { JobCancelledError, StorageError } from '../../common/errors';
import { blobBuffer } from '../../preferences/exchange/parquet-file';
import { fakeClap } from '../../testing/fake-clap';
import { fakeSentenceEmbeddings } from '../../testing/fake-sentence-embeddings';
import type { GenerateRequest, Sound } from '../protocol';
import type { CreateDatasetRequest, PreferenceProgress } from '../protocol-preferences';
import type { SentenceEmbeddingsApi } from '../protocol-sentence-embeddings';
import { type KeyValueStore, MemoryStore, type StoreKey } from './key-value-store';
import type { PreferenceEngine } from './preference-run';
import { PreferenceStore } from './preference-store';
import { Preferences } from './preferences';

const RATE_HZ = 8000;
const REQUEST: CreateDatasetRequest = {
  name: 'barks',
  prompts: ['a dog barks and then a bell rings', 'rain falls'],
  stepsOfStrategy11: [1, 2],
  clipsOfStrategy12: 2,
  steps: 2,
  durationSeconds: 1,
};
/** 1.1 and 1.2 share the second clip; 2 (twice) and 3 begin with 1.2's first. */
const CLIPS = 2 * (2 + 1 + 5) + 5;

/** An engine whose sounds are tones of the seed. */
function openEngine(store: KeyValueStore = new MemoryStore()) {
  const made: GenerateRequest[] = [];
  const engine: PreferenceEngine & { onMade: () => void } = {
    onMade: () => {},
    async generate(request, { signal } = {}) {
      if (signal?.aborted) throw new JobCancelledError('Cancelled.');
      made.push(request);
      const { seed = 0, steps = 1 } = request;
      const hz = 100 + (seed % 997) + 3 * steps + request.prompt.length;
      const audio = Float32Array.from(
        { length: RATE_HZ },
        (_, t) => 0.5 * Math.sin((2 * Math.PI * hz * t) / RATE_HZ),
      );
      engine.onMade();
      return [{ audio, sampleRateHz: RATE_HZ, elapsedSeconds: steps * 0.1 } as Sound];
    },
    clap: fakeClap(),
    sentenceEmbeddings: fakeSentenceEmbeddings(),
    modelId: () => 'tiny',
    backend: () => 'wasm',
  };
  return { made, engine, store, preferences: new Preferences(engine, new PreferenceStore(store)) };
}

async function finished() {
  const opened = openEngine();
  const { id } = await opened.preferences.create(REQUEST);
  const dataset = await opened.preferences.run(id);
  return { ...opened, id, dataset };
}

const PROMPTS = Array.from({ length: 9 }, (_, i) => `sound ${'x'.repeat(i)}`);

/** Of the fake. */
async function installSentenceModel({ sentenceEmbeddings }: PreferenceEngine): Promise<void> {
  const { importFiles } = sentenceEmbeddings as SentenceEmbeddingsApi;
  await importFiles([{ path: 'onnx/model.onnx', blob: new Blob() }]);
}

describe('A pool of prompts', () => {
  it('is clustered by the CLAP that is asked for, with progress', async () => {
    const { preferences } = openEngine();
    const stages: string[] = [];
    const clusters = await preferences.clusterPrompts(
      { prompts: PROMPTS, clusters: 2, perCluster: 3, seed: 1, embeddings: 'fake-clap-2' },
      { onProgress: ({ stage }) => stages.push(stage) },
    );
    expect(clusters).toMatchObject({ modelId: 'fake-clap-2', modelName: 'Small CLAP B' });
    expect([clusters.clusterOf.length, clusters.map.length]).toEqual([9, 9]);
    expect(clusters.picked.length).toBeLessThanOrEqual(6);
    expect(stages).toContain('cluster');
  });

  it('is clustered by a sentence embedder once one is installed, unless a CLAP is asked for', async () => {
    const { preferences, engine } = openEngine();
    const request = { prompts: PROMPTS, clusters: 2, perCluster: 3 };
    expect(await preferences.clusterPrompts(request)).toMatchObject({ modelName: 'Small CLAP A' });
    await installSentenceModel(engine);
    const seen: PreferenceProgress[] = [];
    const byDefault = await preferences.clusterPrompts(request, { onProgress: (one) => seen.push(one) });
    expect(byDefault).toMatchObject({ modelId: 'gte-large-1', modelName: 'Xenova/gte-large' });
    const estimates = seen.filter(({ stage }) => stage === 'embed').map((one) => one.remainingSeconds);
    expect(estimates[0]).toBeNull();
    expect(estimates.at(-1)).toBe(0);
    expect(await preferences.clusterPrompts({ ...request, embeddings: 'fake-clap-1' })).toMatchObject({
      modelName: 'Small CLAP A',
    });
  });

  it('fails when the sentence embedder does: no CLAP takes its place', async () => {
    const { preferences, engine } = openEngine();
    await installSentenceModel(engine);
    const asked = vi.spyOn(engine.clap, 'embedText');
    vi.spyOn(engine.sentenceEmbeddings, 'embed').mockRejectedValue(new StorageError('A part was lost.'));
    const request = { prompts: PROMPTS, clusters: 2, perCluster: 3 };
    await expect(preferences.clusterPrompts(request)).rejects.toThrow('A part was lost.');
    await expect(preferences.clusterPrompts({ ...request, embeddings: 'nothing' })).rejects.toThrow(
      /Nothing called "nothing".*gte-large-1, fake-clap-1/,
    );
    expect(asked).not.toHaveBeenCalled();
  });

  it('is refused before any prompt is embedded', async () => {
    const { preferences } = openEngine();
    await expect(preferences.clusterPrompts({ prompts: ['a', 'b'] })).rejects.toThrow(
      'clusters is a whole number from 2 to the 2 prompts, but 200 came.',
    );
  });
});

describe('A preferences run', () => {
  it('makes each clip of the plan once, scores it by every CLAP, and forms pairs', async () => {
    const { preferences, made, id, dataset } = await finished();
    expect(dataset).toMatchObject({ state: 'done', clipCount: CLIPS, clipsMade: CLIPS, failure: null });
    expect(dataset.clapModels.map((model) => model.name)).toEqual(['Small CLAP A', 'Small CLAP B']);
    expect(made).toHaveLength(CLIPS);
    expect(new Set(made.map((request) => JSON.stringify(request))).size).toBe(CLIPS);
    expect(made.every(({ modelId, scheduler }) => modelId === 'tiny' && scheduler === 'ddpm')).toBe(true);
    const groups = await preferences.groups(id);
    expect(groups.map(({ id: group }) => group)).toEqual([
      '0-1.1',
      '0-1.2',
      '0-2',
      '0-3',
      '1-1.1',
      '1-1.2',
      '1-2',
    ]);
    for (const { candidates } of groups) {
      for (const { scores, check } of candidates) {
        expect(Object.keys(scores)).toHaveLength(2);
        expect(check!.durationSeconds).toBe(1);
      }
    }
    const pairs = await preferences.pairs(id);
    expect(pairs.length).toBeGreaterThan(0);
    expect(pairs[0]!.winner.audio).toHaveLength(RATE_HZ);
    const clip = await preferences.clip(id, groups[0]!.candidates[0]!.clipId);
    expect(clip.sampleRateHz).toBe(RATE_HZ);
  });

  it('paused and resumed by another tab, it makes what is missing and nothing twice', async () => {
    const whole = await finished();
    const store = new MemoryStore();
    const first = openEngine(store);
    const { id } = await first.preferences.create(REQUEST);
    first.engine.onMade = () => void (first.made.length === 5 && first.preferences.pause());
    expect(await first.preferences.run(id)).toMatchObject({ state: 'stopped', clipsMade: 5 });
    const second = openEngine(store);
    expect(await second.preferences.run(id)).toMatchObject({ state: 'done', clipsMade: CLIPS });
    expect(second.made).toHaveLength(CLIPS - 5);
    expect(await second.preferences.groups(id)).toEqual(await whole.preferences.groups(whole.id));
    expect(await second.preferences.run(id)).toMatchObject({ state: 'done' });
    expect(second.made).toHaveLength(CLIPS - 5);
  });

  it('cut off after a clip was kept and before any group said so, it does not make that clip again', async () => {
    const store = new FailingStore();
    const first = openEngine(store);
    const { id } = await first.preferences.create(REQUEST);
    store.failAt = 'groups';
    await expect(first.preferences.run(id)).rejects.toBeInstanceOf(StorageError);
    expect(first.made).toHaveLength(1);
    expect((await first.preferences.datasets())[0]).toMatchObject({ failure: expect.stringMatching(/full/) });
    store.failAt = null;
    await first.preferences.run(id);
    expect(first.made).toHaveLength(CLIPS);
  });

  it('cancelled, it stays as far as it was', async () => {
    const { preferences, engine, made } = openEngine();
    const { id } = await preferences.create(REQUEST);
    const cancel = new AbortController();
    engine.onMade = () => void (made.length === 3 && cancel.abort());
    await expect(preferences.run(id, { signal: cancel.signal })).rejects.toBeInstanceOf(JobCancelledError);
    expect((await preferences.datasets())[0]).toMatchObject({
      state: 'stopped',
      clipsMade: 3,
      failure: null,
    });
  });

  it('without a CLAP makes the sounds, says what is missing, and scores them later', async () => {
    const { preferences, engine, made } = openEngine();
    const clap = engine.clap;
    Object.assign(engine, { clap: { ...clap, models: async () => [] } });
    const { id } = await preferences.create(REQUEST);
    const dataset = await preferences.run(id);
    expect(dataset).toMatchObject({ state: 'stopped', failure: expect.stringMatching(/no CLAP/) });
    expect(await preferences.pairs(id)).toEqual([]);
    Object.assign(engine, { clap });
    expect(await preferences.run(id)).toMatchObject({ state: 'done', failure: null });
    expect(made).toHaveLength(CLIPS);
  });

  it('tells how far it is and forecasts from the speed it measured', async () => {
    const { preferences } = openEngine();
    expect(await preferences.forecast(REQUEST)).toMatchObject({ clips: CLIPS, seconds: null });
    const { id } = await preferences.create(REQUEST);
    const heard: PreferenceProgress[] = [];
    await preferences.run(id, { onProgress: (progress) => heard.push(progress) });
    expect(heard[0]).toMatchObject({ stage: 'make', index: 0, count: CLIPS, remainingSeconds: null });
    const forecast = await preferences.forecast(REQUEST);
    // 0.1 s a step, guided: 0.05 s a pass.
    expect(forecast.seconds).toBeCloseTo(0.05 * forecast.unetPasses, 5);
    const left = heard
      .filter(({ stage }) => stage === 'make')
      .map(({ remainingSeconds }) => remainingSeconds);
    expect(left[1]).toBeGreaterThan(left.at(-1)!);
  });

  it('refuses a second run at once, and removes everything of a dataset', async () => {
    const { preferences, store } = openEngine();
    const { id } = await preferences.create(REQUEST);
    const job = preferences.run(id);
    await expect(preferences.run(id)).rejects.toThrow(/already/);
    await job;
    await preferences.remove(id);
    expect((await store.keys()).filter(([owner]) => owner === id)).toEqual([]);
    await expect(preferences.run(id)).rejects.toMatchObject({ code: 'model-not-found' });
  });

  it('refuses requests in words', async () => {
    const { preferences } = openEngine();
    const create = (change: Partial<CreateDatasetRequest>) => preferences.create({ ...REQUEST, ...change });
    await expect(create({ prompts: [] })).rejects.toThrow(/at least one prompt/);
    await expect(create({ prompts: ['rain falls'], strategies: ['3'] })).rejects.toThrow(/strategy 3 needs/);
    await expect(create({ steps: 0 })).rejects.toThrow(/1 to 1000/);
    expect(await preferences.datasets()).toEqual([]);
  });
});

describe('Selection and votes', () => {
  const vote = { rater: 'Ada', left: 'a', reasons: [], heardSeconds: { a: 1, b: 1 }, repeat: false } as const;

  it('keep the bounds, and let an ear overrule CLAP', async () => {
    const { preferences, id, dataset } = await finished();
    const wide = {
      mode: 'values' as const,
      bounds: dataset.clapModels.slice(0, 1).map(({ id: modelId }) => ({
        modelId,
        winnerAtLeast: -1,
        loserAtLeast: -1,
        deltaAtLeast: -2,
        deltaAtMost: 2,
      })),
    };
    await preferences.select(id, { selection: wide });
    const before = await preferences.pairs(id);
    const [first] = before;
    const kept = await preferences.vote(id, { ...vote, pairId: first!.id!, choice: 'a' });
    const withA = (await preferences.pairs(id)).find((pair) => pair.id === first!.id)!;
    await preferences.vote(id, { ...vote, pairId: first!.id!, choice: 'b' });
    const withB = (await preferences.pairs(id)).find((pair) => pair.id === first!.id)!;
    expect(withB.winner.audio).toEqual(withA.loser.audio);
    expect(await preferences.pairs(id, { votes: 'only' })).toHaveLength(1);
    await preferences.vote(id, { ...vote, pairId: first!.id!, choice: 'both-bad' });
    expect(await preferences.pairs(id)).toHaveLength(before.length - 1);
    expect(await preferences.pairs(id, { votes: 'ignore' })).toHaveLength(before.length);
    for (const { id: voteId } of await preferences.votes(id)) await preferences.removeVote(id, voteId);
    expect(await preferences.votes(id)).toEqual([]);
    await expect(preferences.removeVote(id, kept.id)).rejects.toThrow(/no such vote/);
    await expect(preferences.vote(id, { ...vote, rater: ' ', pairId: 'x', choice: 'a' })).rejects.toThrow(
      /name/,
    );
    await expect(preferences.select(id, { selection: null, rankingModelId: 'x' })).rejects.toThrow(
      /no scores/,
    );
  });
});

describe('In and out', () => {
  const everything = { votes: 'overrule' } as const;

  it('parquet comes back as it went: captions, sounds, strategies', async () => {
    const { preferences, id } = await finished();
    const file = await preferences.exportFile(id, 'parquet', everything);
    expect(file.path).toBe('barks.parquet');
    const imported = await preferences.importFiles([file]);
    const pairs = await preferences.pairs(id);
    expect(imported).toMatchObject({ source: 'imported', groupCount: pairs.length, state: 'stopped' });
    const groups = await preferences.groups(imported.id);
    for (const [index, { prompt, winner, loser }] of pairs.entries()) {
      const group = groups[index]!;
      expect(group.prompt).toBe(prompt);
      const [chosen, rejected] = await Promise.all(
        group.candidates.map(({ clipId }) => preferences.clip(imported.id, clipId)),
      );
      expect(chosen!.audio).toEqual(winner.audio);
      expect(rejected!.audio).toEqual(loser.audio);
    }
    expect(await preferences.run(imported.id)).toMatchObject({ state: 'done' });
  });

  it('the trainer’s folder goes out as a zip and comes in as files', async () => {
    const { preferences, id } = await finished();
    const { path, blob } = await preferences.exportFile(id, 'folder');
    expect(path).toBe('barks.zip');
    expect(new TextDecoder('latin1').decode(await blob.arrayBuffer())).toContain('chosen_0.wav');
    const tone = (hz: number) =>
      new Blob([
        encodeWav([Float32Array.from({ length: 800 }, (_, t) => Math.sin((hz * t) / 800))], RATE_HZ),
      ]);
    const files = [
      { path: 'set/chosen_0.wav', blob: tone(90) },
      { path: 'set/reject_0.wav', blob: tone(50) },
      { path: 'set/captions.jsonl', blob: new Blob(['{"captions":"a dog barks"}\n']) },
    ];
    expect(await preferences.importFiles(files)).toMatchObject({ name: 'set', groupCount: 1 });
    await expect(preferences.importFiles(files.slice(0, 2))).rejects.toThrow(/no captions/);
    await expect(preferences.importFiles(files.toSpliced(1, 1))).rejects.toThrow(/no reject_0.wav/);
  });

  it('JSON lines and CSV hold scores and votes; formula cells are text', async () => {
    const { preferences, engine } = openEngine();
    expect(engine.modelId()).toBe('tiny');
    const { id } = await preferences.create({ ...REQUEST, prompts: ['=HYPERLINK("x") and then a bell'] });
    await preferences.run(id);
    const lines = (await (await preferences.exportFile(id, 'jsonl')).blob.text()).trim().split('\n');
    const [first] = lines.map((line) => JSON.parse(line));
    expect(Object.keys(first.chosen.scores)).toHaveLength(2);
    expect(first.chosen.recipe.guidanceScale).toBe(3);
    const csv = await (await preferences.exportFile(id, 'csv')).blob.text();
    expect(csv.split('\r\n')[0]).toBe(
      'id,prompt,strategy,split,Small CLAP A chosen,Small CLAP A rejected,Small CLAP B chosen,Small CLAP B rejected,votes',
    );
    expect(csv).toContain(`"'=HYPERLINK(""x"") and then a bell"`);
  });

  it('splits by prompt, never by pair, in every format that names splits', async () => {
    const { preferences } = openEngine();
    const prompts = Array.from({ length: 12 }, (_, i) => `bell number ${i} rings and then a dog barks`);
    const { id } = await preferences.create({ ...REQUEST, prompts });
    await preferences.run(id);
    await preferences.select(id, { selection: { mode: 'values', bounds: [] } });
    const filter = { shares: { validation: 0.3, test: 0.2 } };
    const exported = async (format: 'jsonl' | 'csv' | 'parquet') =>
      (await preferences.exportFile(id, format, filter)).blob;
    const fromLines = (await (await exported('jsonl')).text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { prompt: string; split: string });
    const fromTable = Papa.parse<{ prompt: string; split: string }>(await (await exported('csv')).text(), {
      header: true,
    }).data;
    const file = blobBuffer(await exported('parquet'));
    const fromParquet = (await parquetReadObjects({
      file,
      columns: ['prompt', 'split'],
    })) as typeof fromLines;
    for (const rows of [fromLines, fromTable, fromParquet]) {
      expect(rows.length).toBeGreaterThan(2 * prompts.length);
      const splits = prompts.map((prompt) => [
        ...new Set(rows.filter((row) => row.prompt === prompt).map(({ split }) => split)),
      ]);
      expect(splits.every(({ length }) => length === 1)).toBe(true);
      expect(new Set(splits.flat())).toEqual(new Set(['train', 'validation', 'test']));
    }
    for (const split of ['train', 'validation', 'test'] as const) {
      const part = (await preferences.exportFile(id, 'jsonl', { ...filter, split })).blob;
      const lines = (await part.text()).trim().split('\n');
      expect(lines).toHaveLength(fromLines.filter((row) => row.split === split).length);
    }
  });

  it('refuses other columns, sounds that do not decode, no pairs; nothing is kept', async () => {
    const { parquetWriteBuffer } = await import('hyparquet-writer');
    const { preferences, store } = openEngine();
    const file = (columns: Record<string, unknown[]>) => ({
      path: 'x.parquet',
      blob: new Blob([
        parquetWriteBuffer({
          columnData: Object.entries(columns).map(([name, data]) => ({ name, data })),
        }),
      ]),
    });
    const imports = (columns: Record<string, unknown[]>) => preferences.importFiles([file(columns)]);
    const bytes = new Uint8Array([0xff, 0xfb, 0x90, 0, 1, 2, 3]);
    await expect(imports({ prompt: ['a'], audio: [bytes] })).rejects.toThrow(
      /columns "prompt", "audio".*chosen/,
    );
    await expect(imports({ prompt: ['a'], chosen: [bytes], rejected: [bytes] })).rejects.toThrow(
      /row 1: the chosen sound does not decode/,
    );
    await expect(imports({ prompt: ['a'], chosen: ['a.wav'], rejected: ['b.wav'] })).rejects.toThrow(
      /holds no sound/,
    );
    await expect(preferences.importFiles([])).rejects.toThrow(/no file came/);
    expect(await store.keys()).toEqual([]);
  });
});

/** A browser whose storage is full for one kind of value. */
class FailingStore extends MemoryStore {
  failAt: string | null = null;

  override async set(key: StoreKey, value: unknown): Promise<void> {
    if (key[1] === this.failAt) throw new StorageError('The storage is full.');
    return super.set(key, value);
  }
}
