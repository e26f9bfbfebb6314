import { afterEach, describe, expect, it, vi } from 'vitest';
import { JobCancelledError, OutOfMemoryError, StorageError } from '../../common/errors';
import { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import { expectClose, tinyTango } from '../../testing';
import { openTinyEngine, type TinyEngine, tinyClip } from '../../testing/tiny-engine';
import { PreferenceTrainer } from '../../training/preference-trainer';
import type { Sound } from '../protocol';
import type { TrainMetrics, TrainProgress, TrainRequest, TrainRun } from '../protocol-training';
import type { EngineHost } from './engine-host';
import { type KeyValueStore, MemoryStore, type StoreKey } from './key-value-store';

const tiny = await tinyTango();
const REQUEST: TrainRequest = {
  name: 'tones',
  pairs: Array.from({ length: 2 }, (_, i) => ({
    prompt: i === 0 ? 'a dog' : 'a bell rings',
    winner: tinyClip(i + 1, true),
    loser: tinyClip(i + 1, false),
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

async function openTiny(training?: KeyValueStore, models?: KeyValueStore): Promise<TinyEngine> {
  const engine = await openTinyEngine(tiny, training, models);
  opened.push(engine.host);
  return engine;
}

type Untimed = Omit<TrainMetrics, 'seconds'>;

/** A run's metrics without what the clock said. */
async function metricsOf(host: EngineHost, runId: string): Promise<readonly Untimed[]> {
  return (await host.train.metrics(runId)).map(({ seconds, ...rest }) => rest);
}

async function trained(): Promise<{ host: EngineHost; run: TrainRun; metrics: readonly Untimed[] }> {
  const { host } = await openTiny();
  const run = await host.train.start(REQUEST);
  return { host, run, metrics: await metricsOf(host, run.id) };
}

/** A safetensors file's numbers; its header says which run it is of. */
async function bytesOf(blob: Blob): Promise<Uint8Array> {
  const bytes = await blob.arrayBuffer();
  return new Uint8Array(bytes, 8 + Number(new DataView(bytes).getBigUint64(0, true)));
}

/** Computed once: one engine at a time holds the backend. */
let unbroken: Promise<{ metrics: readonly Untimed[]; adapterBytes: Uint8Array }> | null = null;
function unbrokenRun(): Promise<{ metrics: readonly Untimed[]; adapterBytes: Uint8Array }> {
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
    expect(await metricsOf(again.host, run.id)).toEqual(unbroken.metrics);
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
    expect(await metricsOf(host, run!.id)).toEqual(unbroken.metrics);
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
    expect(await metricsOf(host, run.id)).toEqual(alone.metrics);
  });

  it('is used by generate with its id, exported, and imported as the same adapter', async () => {
    const { host, run } = await trained();
    const [base] = await host.generate(SOUND);
    const [tuned] = await host.generate({ ...SOUND, adapters: [{ id: run.id, strength: 1 }] });
    expect(tuned!.audio).not.toEqual(base!.audio);
    expect(tuned!.parameters.adapters).toEqual([{ id: run.id, strength: 1 }]);
    const files = await host.train.exportAdapter(run.id);
    const imported = await host.train.importAdapter(files);
    expect(imported).toMatchObject({ state: 'imported', parameterCount: run.parameterCount });
    const offered = await host.models.adapters();
    expect(offered.map(({ id }) => id).toSorted()).toEqual([run.id, imported.id].toSorted());
    expect(await host.models.adapters('another-model')).toEqual([]);
    const load = vi.spyOn(TangoPipeline, 'load');
    const [again] = await host.generate({ ...SOUND, adapters: [{ id: imported.id, strength: 1 }] });
    expect(again!.audio).toEqual(tuned!.audio);
    const at = async (...strengths: number[]) => {
      const adapters = strengths.map((strength, i) => ({ id: [run.id, imported.id][i]!, strength }));
      return (await host.generate({ ...SOUND, adapters }))[0]!.audio;
    };
    expect(await at(0)).toEqual(base!.audio);
    expect(await at(2)).not.toEqual(tuned!.audio);
    // Two copies at half the strength are one at its own.
    const halves = await at(0.5, 0.5);
    const shape = [halves.length];
    await expectClose({ data: halves, shape }, { data: tuned!.audio, shape }, { relativeToRms: 1e-3 });
    // Switched over and over, on the model that was there from the start.
    expect(load).not.toHaveBeenCalled();
    load.mockRestore();
    await expect(at(2.1)).rejects.toThrow(/strength of adapter.*from 0 to 2/);
    const twice = [run.id, run.id].map((id) => ({ id, strength: 1 }));
    await expect(host.generate({ ...SOUND, adapters: twice })).rejects.toThrow(/twice/);
    expect((await host.generate(SOUND))[0]!.audio).toEqual(base!.audio);
    await host.train.remove(run.id);
    await expect(host.generate({ ...SOUND, adapters: [{ id: run.id, strength: 1 }] })).rejects.toMatchObject({
      code: 'model-not-found',
    });
  });

  it('measures held-out prompts, lets the change be heard, and shows each pair', async () => {
    const { host } = await openTiny();
    const prompts = ['a dog', 'a bell', 'rain', 'wind', 'a cat'];
    const request: TrainRequest = {
      ...REQUEST,
      pairs: prompts.map((prompt, i) => ({ prompt, winner: tinyClip(i, true), loser: tinyClip(i, false) })),
      dataset: { id: 'set-1', name: 'tones and noise' },
      pairsPerStep: 4,
      heldOutShare: 0.2,
      validateEverySteps: 1,
      samplePrompts: ['a dog'],
      sampleEverySteps: 2,
    };
    const heard: TrainProgress[] = [];
    const run = await host.train.start(request, { onProgress: (progress) => heard.push(progress) });
    expect(run).toMatchObject({ heldOutCount: 1, stepsPerEpoch: 1, dataset: { id: 'set-1' } });
    const { validations } = await host.train.history(run.id);
    expect(validations.map(({ step }) => step)).toEqual([0, 1, 2]);
    expect(validations[0]).toMatchObject({ margin: 0, implicitAccuracy: 0.5 });
    expect(validations[0]!.loss).toBeCloseTo(Math.LN2, 6);
    expect(heard.flatMap(({ validation }) => validation ?? [])).toEqual(validations);

    const samples = await host.train.samples(run.id);
    expect(samples.map(({ step, prompt, seed }) => [step, prompt, seed])).toEqual([
      [0, 'a dog', 1],
      [2, 'a dog', 1],
    ]);
    const [base] = await host.generate({ prompt: 'a dog', seed: 1, durationSeconds: run.durationSeconds });
    expect(samples[0]!.audio).toEqual(base!.audio);
    expect(samples[1]!.audio).not.toEqual(base!.audio);

    const examined = await host.train.examine(run.id, [0.2, 0.8]);
    expect(examined.map(({ prompt }) => prompt)).toEqual(prompts);
    expect(examined.filter(({ heldOut }) => heldOut)).toHaveLength(1);
    for (const { errors } of examined) expect(errors.map(({ timestep }) => timestep)).toEqual([200, 800]);
    const { winner, loser } = await host.train.listen(run.id, 0);
    expect(winner.audio).toHaveLength(Math.round(run.durationSeconds * winner.sampleRateHz));
    expect(winner.audio).not.toEqual(loser.audio);

    await host.train.rename(run.id, { notes: 'the first one' });
    const again = await host.train.start({ dataOf: run.id, ...run.settings!, samplePrompts: [] });
    expect(again).toMatchObject({ pairCount: 5, notes: '', dataset: { id: 'set-1' } });
    expect(await metricsOf(host, again.id)).toEqual(await metricsOf(host, run.id));
    const [weights] = await host.train.exportAdapter(run.id);
    expect(await weights!.blob.slice(0, 4000).text()).toMatch(/tones and noise.*|the first one/);
  });

  it('gives the merged UNet the numbers that the adapter of every layer gives it', async () => {
    const { host } = await openTiny();
    const targets = 'attention-feed-forward-and-convolutions';
    const run = await host.train.start({ ...REQUEST, targets });
    const attentionOnly = await host.train.estimate({ rank: 2 }, 1);
    expect(run.parameterCount).toBeGreaterThan(attentionOnly.parameterCount);
    const [tuned] = await host.generate({ ...SOUND, adapters: [{ id: run.id, strength: 1 }] });
    const { path, blob } = await host.train.exportMerged(run.id, 'diffusers');
    const files = tiny.files.map((file) => (file.path.endsWith(path) ? { ...file, blob } : file));
    expect(files.some((file) => file.blob === blob)).toBe(true);
    const merged = await host.models.importFiles(files);
    const [sound] = await host.generate({ ...SOUND, modelId: merged.id });
    for (const [t, value] of sound!.audio.entries()) expect(value).toBeCloseTo(tuned!.audio[t]!, 3);
    const tango = await host.train.exportMerged(run.id, 'tango');
    expect(await tango.blob.slice(8, 4000).text()).toContain('"unet.conv_in.bias"');
  });

  it('trains the whole UNet: resumed bit for bit, heard at its strength, merged into a file', async () => {
    const request: TrainRequest = { ...REQUEST, trains: 'unet', learningRate: 1e-4 };
    const { host } = await openTiny();
    const [base] = await host.generate(SOUND);
    const unbroken = await host.train.start({ ...request, samplePrompts: [SOUND.prompt] });
    expect(unbroken).toMatchObject({ state: 'done', step: STEPS });
    const paused = await host.train.start(request, {
      onProgress: ({ metrics }) => void (metrics?.step === 2 && host.train.pause()),
    });
    expect(paused).toMatchObject({ state: 'stopped', step: 2 });
    const resumed = await host.train.resume(paused.id);
    expect(await metricsOf(host, resumed.id)).toEqual(await metricsOf(host, unbroken.id));

    const soundOf = async (...adapters: { id: string; strength: number }[]) =>
      (await host.generate({ ...SOUND, adapters }))[0]!.audio;
    const tuned = await soundOf({ id: unbroken.id, strength: 1 });
    expect(tuned).not.toEqual(base!.audio);
    expect(await soundOf({ id: resumed.id, strength: 1 })).toEqual(tuned);
    expect(await soundOf({ id: unbroken.id, strength: 0 })).toEqual(base!.audio);
    const halves = await soundOf({ id: unbroken.id, strength: 0.5 }, { id: resumed.id, strength: 0.5 });
    for (const [t, value] of halves.entries()) expect(value).toBeCloseTo(tuned[t]!, 3);

    await expect(host.train.exportAdapter(unbroken.id)).rejects.toThrow(/has no adapter. Export the merged/);
    const { path, blob } = await host.train.exportMerged(unbroken.id, 'diffusers');
    const files = tiny.files.map((file) => (file.path.endsWith(path) ? { ...file, blob } : file));
    const merged = await host.models.importFiles(files);
    const [sound] = await host.generate({ ...SOUND, modelId: merged.id });
    expect(sound!.audio).toEqual(tuned);
    await expect(host.train.start({ ...request, trains: 'all' as 'unet' })).rejects.toThrow(
      /"lora" or "unet", but all came/,
    );
  });

  it('measures the frozen model first where every weight is trained, and goes on with that after a pause', async () => {
    const [training, models] = [new MemoryStore(), new MemoryStore()];
    const request: TrainRequest = { ...REQUEST, trains: 'unet', learningRate: 1e-4 };
    const { host } = await openTiny(training, models);
    const unbroken = await host.train.start(request);
    const metrics = await metricsOf(host, unbroken.id);
    const heard: TrainProgress[] = [];
    const pauseAt = (index: number) => (progress: TrainProgress) => {
      heard.push(progress);
      if (progress.stage === 'reference' && progress.index === index) void host.train.pause();
    };
    const paused = await host.train.start(request, { onProgress: pauseAt(0) });
    expect(paused).toMatchObject({ state: 'stopped', step: 0 });
    expect(await host.train.runs()).toContainEqual(paused);
    const measured = heard.filter(({ stage }) => stage === 'reference');
    expect(measured.map(({ index, count }) => [index, count])).toEqual([[0, 2]]);

    opened.splice(0);
    host.dispose();
    const again = await openTiny(training, models);
    const resumed: TrainProgress[] = [];
    const run = await again.host.train.resume(paused.id, { onProgress: (one) => resumed.push(one) });
    expect(resumed.filter(({ stage }) => stage === 'reference').map(({ index }) => index)).toEqual([1]);
    expect(await metricsOf(again.host, run.id)).toEqual(metrics);
    // Kept with the run: a later break asks for no more.
    expect(await training.get([run.id, 'references'])).toMatchObject({ done: 2 });
    await again.host.train.remove(run.id);
    expect((await training.keys()).some(([id]) => id === run.id)).toBe(false);
  });

  it('has the frozen model there for whoever asks, and not while every weight is trained', async () => {
    const { host } = await openTiny();
    const before = await host.generate(SOUND);
    const request: TrainRequest = { ...REQUEST, trains: 'unet', learningRate: 1e-4 };
    const release = vi.spyOn(TangoPipeline.prototype, 'releaseUNet');
    const restore = vi.spyOn(TangoPipeline.prototype, 'restoreUNet');
    const alone = await host.train.start(request);
    const steps = await metricsOf(host, alone.id);
    expect(release.mock.contexts.every((pipeline) => isReleased(pipeline as TangoPipeline))).toBe(true);
    expect((await host.generate(SOUND))[0]!.audio).toEqual(before[0]!.audio);

    // Between two steps too; the steps after it are those of a run that nobody disturbs.
    const during: Promise<readonly Sound[]>[] = [];
    const disturbed = await host.train.start(request, {
      onProgress: ({ stage, index }) => {
        if ((stage === 'reference' && index === 1) || (stage === 'train' && index === 3))
          during.push(host.generate(SOUND));
      },
    });
    expect(during).toHaveLength(2);
    for (const [sound] of await Promise.all(during)) expect(sound!.audio).toEqual(before[0]!.audio);
    expect(await metricsOf(host, disturbed.id)).toEqual(steps);

    for (const stage of ['reference', 'train'] as const) {
      const cancel = new AbortController();
      const job = host.train.start(request, {
        signal: cancel.signal,
        onProgress: (progress) => void (progress.stage === stage && cancel.abort()),
      });
      await expect(job).rejects.toBeInstanceOf(JobCancelledError);
      expect((await host.generate(SOUND))[0]!.audio).toEqual(before[0]!.audio);
    }
    const step = vi.spyOn(PreferenceTrainer.prototype, 'step');
    step.mockRejectedValueOnce(new OutOfMemoryError('The GPU has no more memory.'));
    await expect(host.train.start(request)).rejects.toBeInstanceOf(OutOfMemoryError);
    step.mockRestore();
    expect((await host.generate(SOUND))[0]!.audio).toEqual(before[0]!.audio);
    expect(restore).toHaveBeenCalled();
    release.mockRestore();
    restore.mockRestore();
  });

  it('leaves no tensor behind', async () => {
    const { host } = await openTiny();
    const before = (await host.info()).memory.tensorCount;
    const run = await host.train.start(REQUEST);
    const whole = await host.train.start({ ...REQUEST, trains: 'unet' });
    const adapters = [run, whole].map(({ id }) => ({ id, strength: 0.5 }));
    await host.generate({ ...SOUND, adapters });
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

  it('refuses a second run and another backend while one is trained', async () => {
    const { host } = await openTiny();
    const job = host.train.start(REQUEST);
    await expect(host.train.start(REQUEST)).rejects.toThrow(/already/);
    await expect(host.setBackend('auto')).rejects.toThrow(/pause it first/);
    await job;
  });
});

function isReleased({ unetParameters }: TangoPipeline): boolean {
  return unetParameters.every(({ isLoaded }) => !isLoaded);
}

/** A browser whose storage is full from a step on. */
class FailingStore extends MemoryStore {
  failAfterStep = Number.POSITIVE_INFINITY;

  override async set(key: StoreKey, value: unknown): Promise<void> {
    const step = (value as { state?: { completedSteps?: number } }).state?.completedSteps ?? 0;
    if (step > this.failAfterStep) throw new StorageError('The browser gives the studio no more storage.');
    return super.set(key, value);
  }
}
