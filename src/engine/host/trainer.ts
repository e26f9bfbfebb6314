import { InvalidInputError, JobCancelledError, NonFiniteError } from '../../common/errors';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ForwardProcess } from '../../training/forward-process';
import { drawsAt } from '../../training/held-out';
import { LoraAdapter } from '../../training/lora/lora-adapter';
import { PreferenceTrainer } from '../../training/preference-trainer';
import type { CachedPair, CachedText, TrainingData } from '../../training/training-data';
import { WholeUNet } from '../../training/whole-unet';
import type { JobOptions, ModelFile } from '../protocol';
import type {
  ExaminedPair,
  ExamineProgress,
  MetricsFormat,
  TrainApi,
  TrainEstimate,
  TrainHistory,
  TrainingClip,
  TrainMetrics,
  TrainProgress,
  TrainRequest,
  TrainRun,
  TrainSample,
  TrainSettings,
} from '../protocol-training';
import { remarksOn } from '../training-clips';
import { pairsHash } from './lineage';
import { measureReferences } from './measure-references';
import { metricsFile } from './metrics-export';
import { resolveRequest } from './resolve-request';
import { StepClock } from './step-clock';
import { checkPairs, clipSeconds, recipeOf, resolveSettings } from './train-request';
import { newPart, TrainedParts } from './trained-parts';
import type { TrainerEngine } from './trainer-engine';
import { trainedRun, withTrainerLock } from './trainer-lock';
import { cachePair, cacheText, checkTrainable, clipOf } from './training-data';
import { estimateTraining } from './training-memory';
import type { TrainingStore } from './training-store';

/** What a sample prompt's sound is made with. */
const SAMPLE_STEPS = 20;
/** Of an examination: the same noises each time, so that its figures compare. */
const EXAMINE_SEED = 17;

/** Training in the engine: one run at a time, step by step between other jobs, with checkpoints to go on from. */
export class Trainer implements TrainApi {
  /** What the runs have trained. */
  readonly parts: TrainedParts;
  readonly #engine: TrainerEngine;
  readonly #store: TrainingStore;
  #activeRun: string | null = null;
  #pauseAsked = false;
  #checkpointAsked = false;

  constructor(engine: TrainerEngine, store: TrainingStore) {
    this.#engine = engine;
    this.#store = store;
    this.parts = new TrainedParts(engine, store);
  }

  lineage: TrainApi['lineage'] = (runId) => this.parts.lineage(runId);
  exportAdapter: TrainApi['exportAdapter'] = (runId) => this.parts.exportAdapter(runId);
  exportMerged: TrainApi['exportMerged'] = (runId, layout) => this.parts.exportMerged(runId, layout);
  importAdapter: TrainApi['importAdapter'] = (files, modelId) => this.parts.importAdapter(files, modelId);

  get active(): boolean {
    return this.#activeRun !== null;
  }

  async start(request: TrainRequest, options: JobOptions<TrainProgress> = {}): Promise<TrainRun> {
    const settings = resolveSettings(request);
    const source = request.dataOf === undefined ? null : await this.#store.run(request.dataOf);
    if (source?.settings === null) {
      throw new InvalidInputError(`"${source.name}" is an adapter from a file: it has no pairs to train on.`);
    }
    const pairs = source ? null : checkPairs(request.pairs);
    const durationSeconds = source?.durationSeconds ?? clipSeconds(request.durationSeconds, pairs ?? []);
    const modelId = source?.modelId ?? request.modelId ?? this.#engine.modelId();
    const id = crypto.randomUUID();
    return this.#alone(id, async () => {
      // What the model cannot be trained with is said before the pairs are read, which takes long.
      const remarks = await this.#engine.turn(modelId, options.signal, async (pipeline) => {
        const { denoiser, melConfig } = pipeline;
        checkTrainable(pipeline);
        const { trains, lora } = recipeOf(settings);
        if (trains === 'lora') LoraAdapter.check(denoiser.unet.adaptableLayers(), lora);
        return source?.remarks ?? remarksOn(pairs ?? [], { ...melConfig, durationSeconds });
      });
      const data = source
        ? await this.#store.data(source.id)
        : await this.#prepare(id, modelId, pairs ?? [], durationSeconds, options);
      const { state, ...planned } = await this.#engine.turn(modelId, options.signal, async (pipeline) => {
        const trainer = trainerOf(settings, data, pipeline);
        try {
          const { plan, split, part } = trainer;
          return {
            state: await trainer.snapshot(),
            stepCount: plan.totalSteps,
            stepsPerEpoch: plan.stepsPerEpoch,
            heldOutCount: split.heldOut.length,
            parameterCount: part.parameterCount,
          };
        } finally {
          trainer.dispose();
          trainer.part.dispose();
        }
      });
      const pairsSha256 = pairs ? await pairsHash(pairs) : source?.pairsSha256;
      const run: TrainRun = {
        id,
        name: request.name ?? `${data.pairs.length} pairs`,
        notes: '',
        modelId,
        state: 'stopped',
        elsewhere: false,
        step: 0,
        ...planned,
        pairCount: data.pairs.length,
        durationSeconds,
        settings,
        dataset: request.dataset ?? source?.dataset ?? null,
        ...(pairsSha256 && { pairsSha256 }),
        remarks,
        createdAt: new Date().toISOString(),
        failure: null,
      };
      await this.#store.saveCheckpoint(id, { state, metrics: [], validations: [] });
      await this.#store.create(run, { data });
      return this.#train(run, options);
    });
  }

  async resume(runId: string, options: JobOptions<TrainProgress> = {}): Promise<TrainRun> {
    const run = await this.#store.run(runId);
    if (run.state === 'imported') {
      throw new InvalidInputError(
        `"${run.name}" is an adapter from a file: there is no training to go on with.`,
      );
    }
    if (run.state === 'done') return run;
    return this.#alone(runId, () => this.#train(run, options));
  }

  async pause(): Promise<void> {
    this.#pauseAsked = this.active;
  }

  async checkpoint(): Promise<void> {
    this.#checkpointAsked = this.active;
  }

  async runs(): Promise<readonly TrainRun[]> {
    const trained = this.#activeRun ?? (await trainedRun());
    return (await this.#store.list()).map((run) =>
      run.id === trained ? { ...run, state: 'running', elsewhere: trained !== this.#activeRun } : run,
    );
  }

  async metrics(runId: string): Promise<readonly TrainMetrics[]> {
    return (await this.history(runId)).metrics;
  }

  async history(runId: string): Promise<TrainHistory> {
    const run = await this.#store.run(runId);
    if (run.state === 'imported') return { metrics: [], validations: [] };
    const { metrics, validations } = await this.#store.checkpoint(runId);
    return { metrics, validations };
  }

  async exportMetrics(runId: string, format: MetricsFormat): Promise<ModelFile> {
    if (!['jsonl', 'csv', 'tensorboard'].includes(format)) {
      throw new InvalidInputError(
        `Metrics are written as "jsonl", "csv" or "tensorboard", but ${String(format)} came.`,
      );
    }
    return metricsFile(await this.#store.run(runId), await this.history(runId), format);
  }

  async samples(runId: string): Promise<readonly TrainSample[]> {
    await this.#store.run(runId);
    return this.#store.samples(runId);
  }

  async examine(
    runId: string,
    levels: readonly number[],
    { signal, onProgress }: JobOptions<ExamineProgress> = {},
  ): Promise<readonly ExaminedPair[]> {
    if (!Array.isArray(levels) || levels.length === 0 || !levels.every((level) => level >= 0 && level <= 1)) {
      throw new InvalidInputError('examine takes a list of noise levels, each a number from 0 to 1.');
    }
    const run = await this.#store.run(runId);
    const data = await this.#store.data(runId);
    const { state } = await this.#store.checkpoint(runId);
    const trainer = await this.#open(run, data, WholeUNet.copyOf, signal);
    try {
      trainer.restore(state);
      const { heldOut } = trainer.split;
      const examined: ExaminedPair[] = [];
      for (const [pair, { id, prompt }] of data.pairs.entries()) {
        onProgress?.({ index: pair, count: data.pairs.length });
        const draws = drawsAt([pair], levels, trainer.process.numTrainTimesteps, EXAMINE_SEED + pair);
        const errors = await this.#engine.turn(run.modelId, signal, ({ denoiser }, running) =>
          trainer.measure(denoiser.unet, draws, running),
        );
        examined.push({ id, prompt, heldOut: heldOut.includes(pair), errors });
      }
      return examined;
    } finally {
      trainer.part.dispose();
      trainer.dispose();
    }
  }

  async listen(runId: string, pair: number): Promise<{ winner: TrainingClip; loser: TrainingClip }> {
    const run = await this.#store.run(runId);
    const { pairs, latentShape } = await this.#store.data(runId);
    const latents = pairs[pair];
    if (!latents) {
      throw new InvalidInputError(
        `The run has the pairs 0 to ${pairs.length - 1}, but ${String(pair)} was asked for.`,
      );
    }
    return this.#engine.turn(run.modelId, undefined, async (pipeline) => ({
      winner: await clipOf(pipeline, latents.winner, latentShape, run.durationSeconds),
      loser: await clipOf(pipeline, latents.loser, latentShape, run.durationSeconds),
    }));
  }

  async rename(runId: string, { name, notes }: { name?: string; notes?: string }): Promise<TrainRun> {
    const run = await this.#store.run(runId);
    const renamed = { ...run, name: name?.trim() || run.name, notes: notes ?? run.notes };
    await this.#store.saveRun(renamed);
    return renamed;
  }

  async remove(runId: string): Promise<void> {
    if (runId === (this.#activeRun ?? (await trainedRun()))) {
      throw new InvalidInputError('The run is being trained: pause or cancel it first, then remove it.');
    }
    await this.#store.run(runId);
    await this.#store.remove(runId);
  }

  async estimate(
    settings: Partial<TrainSettings>,
    durationSeconds: number,
    modelId = this.#engine.modelId(),
  ): Promise<TrainEstimate> {
    const resolved = resolveSettings(settings);
    const seconds = clipSeconds(durationSeconds, []);
    return this.#engine.turn(modelId, undefined, async (pipeline) => {
      checkTrainable(pipeline);
      return estimateTraining(pipeline, recipeOf(resolved), seconds);
    });
  }

  async #prepare(
    runId: string,
    modelId: string,
    pairs: ReturnType<typeof checkPairs>,
    seconds: number,
    { signal, onProgress }: JobOptions<TrainProgress>,
  ): Promise<TrainingData> {
    const texts = new Map<string, CachedText>();
    const cached: CachedPair[] = [];
    let latentShape: TrainingData['latentShape'] = [1, 1, 1];
    const clock = new StepClock(pairs.length);
    for (const [index, pair] of pairs.entries()) {
      const remainingSeconds = clock.remaining(index);
      onProgress?.({ runId, stage: 'prepare', index, count: pairs.length, remainingSeconds });
      await this.#engine.turn(modelId, signal, async (pipeline, running) => {
        const [, channels, height, width] = pipeline.clipSize(seconds).latentShape;
        latentShape = [channels, height, width];
        for (const prompt of ['', pair.prompt]) {
          if (!texts.has(prompt)) texts.set(prompt, await cacheText(pipeline, prompt));
        }
        running.throwIfAborted();
        cached.push(await cachePair(pipeline, pair, seconds));
      });
    }
    return { latentShape, pairs: cached, texts };
  }

  async #train(start: TrainRun, { signal, onProgress }: JobOptions<TrainProgress>): Promise<TrainRun> {
    const { id: runId, settings } = start;
    if (!settings) throw new InvalidInputError(`"${start.name}" has no settings to train with.`);
    const data = await this.#store.data(runId);
    const checkpoint = await this.#store.checkpoint(runId);
    const metrics = [...checkpoint.metrics];
    const validations = [...checkpoint.validations];
    const trainer = await this.#open(start, data, WholeUNet.takenFrom, signal);
    const count = trainer.plan.totalSteps;
    const clock = new StepClock(count);
    let run: TrainRun = { ...start, state: 'stopped', failure: null, step: checkpoint.state.completedSteps };
    const report = (
      stage: TrainProgress['stage'],
      extra: Pick<TrainProgress, 'metrics' | 'validation' | 'sample'> = {},
      remainingSeconds = clock.remaining(trainer.completedSteps),
    ): void =>
      onProgress?.({ runId, stage, index: trainer.completedSteps, count, remainingSeconds, ...extra });
    const keep = async (): Promise<void> => {
      const index = trainer.completedSteps;
      if (index === run.step && (run.state === 'done' || !trainer.done)) return;
      report('checkpoint');
      const state = await trainer.snapshot();
      await this.#store.saveCheckpoint(runId, {
        state,
        metrics: [...metrics],
        validations: [...validations],
      });
      // Name and notes may have been changed meanwhile.
      const { name, notes } = await this.#store.run(runId);
      run = { ...run, name, notes, step: index, state: trainer.done ? 'done' : 'stopped' };
      await this.#store.saveRun(run);
    };
    /** What is made on the way: before the first step, every so many, and after the last. */
    const look = async (): Promise<void> => {
      const step = trainer.completedSteps;
      const due = (every: number): boolean => step % every === 0 || trainer.done;
      if (due(settings.validateEverySteps) && validations.at(-1)?.step !== step) {
        const validation = await this.#turn(run, signal, ({ denoiser }) => trainer.validate(denoiser.unet));
        if (validation) validations.push(validation);
        if (validation) report('validate', { validation });
      }
      if (!due(settings.sampleEverySteps)) return;
      for (const [index, prompt] of settings.samplePrompts.entries()) {
        const sample = await this.#sample(run, trainer, prompt, settings.sampleSeed + index, signal);
        await this.#store.saveSample(runId, index, sample);
        report('sample', { sample });
      }
    };
    try {
      const measured = await measureReferences({
        ...{ runId, trainer, signal, store: this.#store },
        turn: (work) => this.#turn(run, signal, ({ denoiser }) => work(denoiser.unet)),
        report: (index, turns, remainingSeconds) =>
          onProgress?.({ runId, stage: 'reference', index, count: turns, remainingSeconds }),
        pauseAsked: () => this.#pauseAsked,
      });
      if (!measured) return run;
      trainer.restore(checkpoint.state);
      clock.remaining(trainer.completedSteps);
      if (trainer.completedSteps === 0) await look();
      while (!trainer.done && !this.#pauseAsked) {
        const began = performance.now();
        const step = await this.#turn(run, signal, ({ denoiser }) => trainer.step(denoiser.unet));
        const timed = { ...step, seconds: (performance.now() - began) / 1000 };
        metrics.push(timed);
        report('train', { metrics: timed });
        await look();
        const due = trainer.completedSteps % settings.checkpointEverySteps === 0;
        if (due || this.#checkpointAsked || trainer.done) await keep();
        this.#checkpointAsked = false;
        if (signal?.aborted) throw new JobCancelledError('Training was cancelled.');
      }
      await keep();
      return run;
    } catch (error) {
      const failure = error instanceof NonFiniteError ? error.message : null;
      if (failure) await this.#store.saveRun({ ...run, failure }).catch(() => {}); // the first error says more
      throw error;
    } finally {
      trainer.part.dispose();
      trainer.dispose();
    }
  }

  /** A turn of a run that is trained: every weight of the UNet that it trains stands in for the model's own. */
  #turn<T>(
    { modelId, settings }: TrainRun,
    signal: AbortSignal | undefined,
    work: (pipeline: TangoPipeline, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    if (settings?.trains !== 'unet') return this.#engine.turn(modelId, signal, work);
    return this.#engine.turn(
      modelId,
      signal,
      (pipeline, running) => {
        // A job between two turns had them loaded again.
        pipeline.releaseUNet();
        return work(pipeline, running);
      },
      'all-but-unet',
    );
  }

  /** As it is before its first step. @param wholeOf the weights of a run that trains them all */
  async #open(
    { name, modelId, settings }: TrainRun,
    data: TrainingData,
    wholeOf: (unet: UNet2DConditionModel) => WholeUNet,
    signal: AbortSignal | undefined,
  ): Promise<PreferenceTrainer> {
    if (!settings) throw new InvalidInputError(`"${name}" is an adapter from a file: it has no pairs.`);
    return this.#engine.turn(modelId, signal, async (pipeline) =>
      trainerOf(settings, data, pipeline, wholeOf),
    );
  }

  async #sample(
    run: TrainRun,
    trainer: PreferenceTrainer,
    prompt: string,
    seed: number,
    signal: AbortSignal | undefined,
  ): Promise<TrainSample> {
    const { modelId, durationSeconds } = run;
    const request = resolveRequest({ prompt, seed, durationSeconds, steps: SAMPLE_STEPS }, modelId);
    return this.#turn(run, signal, (pipeline, running) =>
      trainer.withFinalWeights(async () => {
        const detach = trainer.part.attach(pipeline.denoiser.unet);
        try {
          const { audio, sampleRateHz } = await this.#engine.generate(pipeline, request, running);
          return { step: trainer.completedSteps, prompt, seed, audio, sampleRateHz };
        } finally {
          detach();
        }
      }),
    );
  }

  /** @throws InvalidInputError when a run is being trained, here or in another tab */
  async #alone<T>(runId: string, work: () => Promise<T>): Promise<T> {
    if (this.active) {
      throw new InvalidInputError('A run is being trained already: pause it, or wait until it is done.');
    }
    this.#activeRun = runId;
    this.#pauseAsked = false;
    this.#checkpointAsked = false;
    try {
      return await withTrainerLock(runId, work);
    } finally {
      this.#activeRun = null;
    }
  }
}

function trainerOf(
  settings: TrainSettings,
  data: TrainingData,
  { denoiser }: TangoPipeline,
  wholeOf: (unet: UNet2DConditionModel) => WholeUNet = WholeUNet.copyOf,
): PreferenceTrainer {
  const recipe = recipeOf(settings);
  const part = newPart(recipe, denoiser.unet, wholeOf);
  try {
    return new PreferenceTrainer(recipe, data, part, new ForwardProcess(denoiser.schedulerConfig));
  } catch (error) {
    part.dispose();
    throw error;
  }
}
