import { afterEach, describe, expect, it } from 'vitest';
import { JobCancelledError, StorageError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import { tinyTango } from '../../testing';
import type { TrainMetrics, TrainProgress, TrainRequest, TrainRun } from '../protocol-training';
import { EngineHost } from './engine-host';
import { type KeyValueStore, MemoryStore, type StoreKey } from './key-value-store';
import { ModelStore } from './model-store';
import { TrainingStore } from './training-store';

const tiny = await tinyTango();
const RATE_HZ = 1600;

/** Rising tones are liked, noise is not. */
function clip(seed: number, liked: boolean): { audio: Float32Array; sampleRateHz: number } {
  const noise = new TorchGenerator(seed).randn(RATE_HZ);
  const audio = noise.map((value, t) =>
    liked ? Math.sin((t * (60 + seed)) / RATE_HZ + (t / RATE_HZ) ** 2) * 0.5 : value * 0.2,
  );
  return { audio, sampleRateHz: RATE_HZ };
}

const REQUEST: TrainRequest = {
  name: 'tones',
  pairs: Array.from({ length: 2 }, (_, i) => ({
    prompt: i === 0 ? 'a dog' : 'a bell rings',
    winner: clip(i + 1, true),
    loser: clip(i + 1, false),
  })),
  rank: 2,
  alpha: 2,
  beta: 20,
  learningRate: 2e-3,
  warmupSteps: 0,
  sftEpochs: 1,
  dpoEpochs: 1,
  pairsPerStep: 1,
  checkpointEverySteps: 2,
  seed: 9,
};
const STEPS = 4;
const SOUND = { prompt: 'a dog', steps: 2, seed: 1, durationSeconds: 1 };

const opened: EngineHost[] = [];
afterEach(() => {
  for (const host of opened.splice(0)) host.dispose();
});

/** An engine with the tiny model in use; hosts that share stores are one browser's tabs. */
async function openTiny(
  training: KeyValueStore = new MemoryStore(),
  models: KeyValueStore = new MemoryStore(),
): Promise<{ host: EngineHost; modelId: string }> {
  const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
  const host = await EngineHost.open(options, () => {}, new ModelStore(models), new TrainingStore(training));
  opened.push(host);
  const { id } = await host.models.importFiles(tiny.files);
  await host.models.use(id);
  return { host, modelId: id };
}

async function trained(): Promise<{ host: EngineHost; run: TrainRun; metrics: readonly TrainMetrics[] }> {
  const { host } = await openTiny();
  const run = await host.train.start(REQUEST);
  return { host, run, metrics: await host.train.metrics(run.id) };
}

async function bytesOf(blob: Blob): Promise<Uint8Array> {
  return new Uint8Array(await blob.arrayBuffer());
}

/** Computed once: one engine at a time holds the backend. */
let unbroken: Promise<{ metrics: readonly TrainMetrics[]; adapterBytes: Uint8Array }> | null = null;
function unbrokenRun(): Promise<{ metrics: readonly TrainMetrics[]; adapterBytes: Uint8Array }> {
  unbroken ??= (async () => {
    const { host, run, metrics } = await trained();
    const [weights] = await host.train.exportAdapter(run.id);
    opened.splice(opened.indexOf(host), 1);
    host.dispose();
    return { metrics, adapterBytes: await bytesOf(weights!.blob) };
  })();
  return unbroken;
}

describe('Training in the engine', () => {
  it('runs to its end and tells every step', async () => {
    const { host, modelId } = await openTiny();
    const heard: TrainProgress[] = [];
    const run = await host.train.start(REQUEST, { onProgress: (progress) => heard.push(progress) });
    expect(run).toMatchObject({
      name: 'tones',
      modelId,
      state: 'done',
      step: STEPS,
      stepCount: STEPS,
      pairCount: 2,
    });
    expect(await host.train.runs()).toEqual([run]);
    const metrics = await host.train.metrics(run.id);
    expect(metrics.map(({ step, phase }) => [step, phase])).toEqual([
      ...[1, 2].map((step) => [step, 'sft']),
      ...[3, 4].map((step) => [step, 'dpo']),
    ]);
    for (const { loss, gradNorm } of metrics) expect(loss * gradNorm).toBeGreaterThan(0);
    expect(heard.flatMap((progress) => progress.metrics ?? [])).toEqual(metrics);
    expect(heard.filter(({ stage }) => stage === 'checkpoint').map(({ index }) => index)).toEqual([2, 4]);
    expect(heard.at(-2)).toMatchObject({ stage: 'train', index: STEPS, count: STEPS, remainingSeconds: 0 });
  });

  it('repeats bit for bit', async () => {
    const first = await unbrokenRun();
    expect((await trained()).metrics).toEqual(first.metrics);
  });

  it('paused, closed and resumed elsewhere is the unbroken run, bit for bit', async () => {
    const unbroken = await unbrokenRun();
    const [training, models] = [new MemoryStore(), new MemoryStore()];
    const { host } = await openTiny(training, models);
    const paused = await host.train.start(REQUEST, {
      onProgress: ({ metrics }) => void (metrics?.step === 1 && host.train.pause()),
    });
    expect(paused).toMatchObject({ state: 'stopped', step: 1, failure: null });
    opened.splice(0);
    host.dispose();

    const again = await openTiny(training, models);
    const run = await again.host.train.resume(paused.id);
    expect(run).toMatchObject({ state: 'done', step: STEPS });
    expect(await again.host.train.metrics(run.id)).toEqual(unbroken.metrics);
    const [weights] = await again.host.train.exportAdapter(run.id);
    expect(await bytesOf(weights!.blob)).toEqual(unbroken.adapterBytes);
  });

  it('cancelled, it stands at its last checkpoint and goes on as the unbroken run', async () => {
    const unbroken = await unbrokenRun();
    const { host } = await openTiny();
    const cancel = new AbortController();
    const job = host.train.start(REQUEST, {
      signal: cancel.signal,
      onProgress: ({ metrics }) => void (metrics?.step === 3 && cancel.abort()),
    });
    await expect(job).rejects.toBeInstanceOf(JobCancelledError);
    const [run] = await host.train.runs();
    expect(run).toMatchObject({ state: 'stopped', step: 2 });
    await host.train.resume(run!.id);
    expect(await host.train.metrics(run!.id)).toEqual(unbroken.metrics);
  });

  it('lets sounds be made between its steps, which do not change it', async () => {
    const alone = await unbrokenRun();
    const { host } = await openTiny();
    const before = await host.generate(SOUND);
    let during: ReturnType<typeof host.generate> | undefined;
    const run = await host.train.start(REQUEST, {
      onProgress: ({ metrics }) => {
        if (metrics?.step === 2) during = host.generate(SOUND);
      },
    });
    expect((await during)![0]!.audio).toEqual(before[0]!.audio);
    expect(await host.train.metrics(run.id)).toEqual(alone.metrics);
  });

  it('is used by generate with its id, exported, and imported as the same adapter', async () => {
    const { host, run } = await trained();
    const [base] = await host.generate(SOUND);
    const [tuned] = await host.generate({ ...SOUND, adapterId: run.id });
    expect(tuned!.audio).not.toEqual(base!.audio);
    expect(tuned!.parameters.adapterId).toBe(run.id);
    const files = await host.train.exportAdapter(run.id);
    const imported = await host.train.importAdapter(files);
    expect(imported).toMatchObject({ state: 'imported', parameterCount: run.parameterCount });
    const [again] = await host.generate({ ...SOUND, adapterId: imported.id });
    expect(again!.audio).toEqual(tuned!.audio);
    expect((await host.generate(SOUND))[0]!.audio).toEqual(base!.audio);
    await host.train.remove(run.id);
    await expect(host.generate({ ...SOUND, adapterId: run.id })).rejects.toMatchObject({
      code: 'model-not-found',
    });
  });

  it('leaves no tensor behind', async () => {
    const { host } = await openTiny();
    const before = (await host.info()).memory.tensorCount;
    const run = await host.train.start(REQUEST);
    await host.generate({ ...SOUND, adapterId: run.id });
    expect((await host.info()).memory.tensorCount).toBe(before);
  });

  it('stops at NaN, says so, and can go on from the checkpoint before', async () => {
    const { host } = await openTiny();
    const job = host.train.start({ ...REQUEST, alpha: 1e30 });
    await expect(job).rejects.toMatchObject({
      code: 'non-finite',
      message: expect.stringMatching(/the pair "\d"/),
    });
    const [run] = await host.train.runs();
    expect(run).toMatchObject({ state: 'stopped', failure: expect.stringMatching(/NaN/) });
    const metrics = await host.train.metrics(run!.id);
    expect(metrics).toHaveLength(run!.step);
    expect(metrics.every(({ loss }) => Number.isFinite(loss))).toBe(true);
  });

  it('keeps the last good checkpoint when storage is full', async () => {
    const store = new FailingStore();
    const { host } = await openTiny(store);
    store.failAfterStep = 2;
    await expect(host.train.start(REQUEST)).rejects.toBeInstanceOf(StorageError);
    const [run] = await host.train.runs();
    expect(run).toMatchObject({ step: 2, state: 'stopped' });
    store.failAfterStep = Number.POSITIVE_INFINITY;
    expect(await host.train.resume(run!.id)).toMatchObject({ state: 'done', step: STEPS });
  });

  it('refuses what cannot be trained with, in words, and keeps nothing of it', async () => {
    const { host } = await openTiny();
    const [pair] = REQUEST.pairs;
    const silent = { audio: new Float32Array(RATE_HZ), sampleRateHz: RATE_HZ };
    const start = (change: Partial<TrainRequest>) => host.train.start({ ...REQUEST, ...change });
    await expect(start({ pairs: [] })).rejects.toThrow(/at least one pair/);
    await expect(start({ pairs: [{ ...pair!, loser: pair!.winner }] })).rejects.toThrow(/tie/);
    await expect(start({ pairs: [{ ...pair!, loser: silent }] })).rejects.toThrow(/silent/);
    await expect(start({ pairs: [{ ...pair!, prompt: ' ' }] })).rejects.toThrow(/prompt/);
    await expect(start({ rank: 0 })).rejects.toThrow(/rank/);
    await expect(start({ rank: 4096 })).rejects.toThrow(/rank of 4096/);
    await expect(start({ beta: 0 })).rejects.toThrow(/beta/);
    await expect(start({ learningRate: -1 })).rejects.toThrow(/learningRate/);
    await expect(start({ durationSeconds: 60 })).rejects.toThrow(/durationSeconds/);
    await expect(host.train.resume('nothing')).rejects.toMatchObject({ code: 'model-not-found' });
    expect(await host.train.runs()).toEqual([]);
  });

  it('refuses a second run and another backend while one is trained', async () => {
    const { host } = await openTiny();
    const job = host.train.start(REQUEST);
    await expect(host.train.start(REQUEST)).rejects.toThrow(/already/);
    await expect(host.setBackend('auto')).rejects.toThrow(/pause it first/);
    await job;
  });
});

/** A browser whose storage is full from a step on. */
class FailingStore extends MemoryStore {
  failAfterStep = Number.POSITIVE_INFINITY;

  override async set(key: StoreKey, value: unknown): Promise<void> {
    const step = (value as { state?: { completedSteps?: number } }).state?.completedSteps ?? 0;
    if (step > this.failAfterStep) throw new StorageError('The browser gives the studio no more storage.');
    return super.set(key, value);
  }
}
