import { InvalidInputError, JobCancelledError, NonFiniteError } from '../../common/errors';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ForwardProcess } from '../../training/forward-process';
import { drawsAt } from '../../training/held-out';
import { type AdapterContents, readAdapterFiles, resolveAdapter } from '../../training/lora/adapter-formats';
import { LoraAdapter } from '../../training/lora/lora-adapter';
import { mergedUNet } from '../../training/lora/merged-unet';
import { writeAdapterFiles } from '../../training/lora/peft-format';
import { PreferenceTrainer } from '../../training/preference-trainer';
import { LoraPart, type TrainedPart } from '../../training/trained-part';
import type { CachedPair, CachedText, TrainingData } from '../../training/training-data';
import type { TrainingRecipe } from '../../training/training-recipe';
import { WholeUNet } from '../../training/whole-unet';
import { lineageOf, parseLineage } from '../lineage';
import type { AdapterUse, JobOptions, ModelFile, ResolvedGenerateRequest, Sound } from '../protocol';
import {
  type AdapterLineage,
  type ExaminedPair,
  type ExamineProgress,
  type MetricsFormat,
  type TrainApi,
  type TrainEstimate,
  type TrainHistory,
  type TrainingClip,
  type TrainMetrics,
  type TrainProgress,
  type TrainRequest,
  type TrainRun,
  type TrainSample,
  type TrainSettings,
  WITHOUT_STEPS,
} from '../protocol-training';
import { remarksOn } from '../training-clips';
import { lineageRecord, pairsHash } from './lineage';
import { measureReferences } from './measure-references';
import { metricsFile } from './metrics-export';
import { resolveRequest } from './resolve-request';
import { StepClock } from './step-clock';
import { checkPairs, clipSeconds, recipeOf, resolveSettings } from './train-request';
import { trainedRun, withTrainerLock } from './trainer-lock';
import { cachePair, cacheText, checkTrainable, clipOf } from './training-data';
import { estimateTraining } from './training-memory';
import type { TrainingStore } from './training-store';

/** What a sample prompt's sound is made with. */
const SAMPLE_STEPS = 20;
/** Of an examination: the same noises each time, so that its figures compare. */
const EXAMINE_SEED = 17;

/** Of a model that is loaded; `all-but-unet`: its weights there need not be those of its files, and may be gone. */
export type ModelNeeds = 'all' | 'all-but-unet';

export interface TrainerEngine {
  /**
   * Waits for a turn on the device and runs `work` with the model; between two turns other jobs run.
   * @param needs default: all of it
   */
  turn<T>(
    modelId: string,
    signal: AbortSignal | undefined,
    work: (pipeline: TangoPipeline, signal: AbortSignal) => Promise<T>,
    needs?: ModelNeeds,
  ): Promise<T>;
  /** A sound of the model as it is now, its adapters included; within a turn. */
  generate(
    pipeline: TangoPipeline,
    request: ResolvedGenerateRequest,
    signal: AbortSignal | undefined,
  ): Promise<Sound>;
  /** The model that requests without an id mean. */
  modelId(): string;
}

/** Training in the engine: one run at a time, step by step between other jobs, with checkpoints to go on from. */
export class Trainer implements TrainApi {
  readonly #engine: TrainerEngine;
  readonly #store: TrainingStore;
  #activeRun: string | null = null;
  #pauseAsked = false;
  #checkpointAsked = false;

  constructor(engine: TrainerEngine, store: TrainingStore) {
    this.#engine = engine;
    this.#store = store;
  }

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

  async lineage(runId: string): Promise<AdapterLineage> {
    return lineageOf(await this.#store.run(runId));
  }

  async exportAdapter(runId: string): Promise<readonly ModelFile[]> {
    const run = await this.#store.run(runId);
    const contents = await this.#withPart(run, async (part) => {
      if (part instanceof LoraPart) {
        return { config: part.adapter.config, tensors: await part.adapter.tensors() };
      }
      throw new InvalidInputError(
        `"${run.name}" trained the whole UNet: it has no adapter. Export the merged UNet.`,
      );
    });
    return writeAdapterFiles(contents, run.modelId, await this.#record(run));
  }

  async exportMerged(runId: string, layout: 'diffusers' | 'tango'): Promise<ModelFile> {
    if (layout !== 'diffusers' && layout !== 'tango') {
      throw new InvalidInputError(`The layout is "diffusers" or "tango", but ${String(layout)} came.`);
    }
    const run = await this.#store.run(runId);
    const record = await this.#record(run);
    const blob = await this.#withPart(run, async (part, pipeline) => {
      if (layout === 'tango' && pipeline.conditioning !== 'states') {
        throw new InvalidInputError(
          `The layout "tango" is that of the Tango family's files, and "${run.modelId}" is of another. Export it with the layout "diffusers".`,
        );
      }
      const detach = part.attach(pipeline.denoiser.unet);
      try {
        const prefix = layout === 'tango' ? 'unet.' : '';
        const adapter = part instanceof LoraPart ? part.adapter : null;
        return await mergedUNet(pipeline.unetParameters, adapter, prefix, record);
      } finally {
        detach();
      }
    });
    return {
      path:
        layout === 'tango' ? 'pytorch_model_main.safetensors' : 'unet/diffusion_pytorch_model.safetensors',
      blob,
    };
  }

  async importAdapter(files: readonly ModelFile[], modelId = this.#engine.modelId()): Promise<TrainRun> {
    const parsed = await readAdapterFiles(files);
    const origin = parseLineage(parsed.origin);
    const { contents, parameterCount } = await this.#engine.turn(modelId, undefined, async (pipeline) => {
      const paths = [...pipeline.denoiser.unet.adaptableLayers().keys()];
      const contents = resolveAdapter(parsed, paths);
      const adapter = fromContents(contents, pipeline);
      const { parameterCount } = adapter;
      adapter.dispose();
      return { contents, parameterCount };
    });
    const run: TrainRun = {
      ...WITHOUT_STEPS,
      id: crypto.randomUUID(),
      name: parsed.name,
      modelId,
      state: 'imported',
      parameterCount,
      ...(origin && { origin }),
      createdAt: new Date().toISOString(),
      failure: null,
    };
    await this.#store.create(run, { adapter: contents });
    return run;
  }

  /**
   * Hangs the adapters, as of their last checkpoints, into the loaded model, each at its strength.
   * @returns the function that takes them out and frees them
   * @throws ModelNotFoundError, InvalidInputError when one is of another model: none hangs there then
   */
  async attach(
    adapters: readonly AdapterUse[],
    modelId: string,
    pipeline: TangoPipeline,
  ): Promise<() => void> {
    const undo: (() => void)[] = [];
    const detach = (): void => {
      for (const step of undo.splice(0).reverse()) step();
    };
    try {
      for (const { id, strength } of adapters) {
        const run = await this.#store.run(id);
        if (run.modelId !== modelId) {
          throw new InvalidInputError(
            `The adapter "${run.name}" is of the model "${run.modelId}", but "${modelId}" was asked for. Use them together, or leave the adapter out.`,
          );
        }
        if (strength === 0) continue;
        const part = await this.#build(run, pipeline);
        undo.push(() => part.dispose());
        undo.push(part.stack(pipeline.denoiser.unet, strength));
      }
      return detach;
    } catch (error) {
      detach();
      throw error;
    }
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

  /** What exported files say: the lineage, and the pairs one by one. */
  async #record(run: TrainRun): Promise<string> {
    const data = run.settings === null ? null : await this.#store.data(run.id);
    return lineageRecord(run, data);
  }

  #withPart<T>(run: TrainRun, body: (part: TrainedPart, pipeline: TangoPipeline) => Promise<T>): Promise<T> {
    return this.#engine.turn(run.modelId, undefined, async (pipeline) => {
      const part = await this.#build(run, pipeline);
      try {
        return await body(part, pipeline);
      } finally {
        part.dispose();
      }
    });
  }

  async #build(run: TrainRun, pipeline: TangoPipeline): Promise<TrainedPart> {
    const imported = await this.#store.adapter(run.id);
    if (imported) return new LoraPart(fromContents(imported, pipeline));
    if (!run.settings) throw new InvalidInputError(`"${run.name}" has no adapter.`);
    const { values } = (await this.#store.checkpoint(run.id)).state;
    const part = newPart(recipeOf(run.settings), pipeline.denoiser.unet);
    for (const weight of part.weights) {
      const kept = values.get(`average.${weight.name}`) ?? values.get(`weight.${weight.name}`);
      if (kept) weight.write(Float32Array.from(kept));
    }
    return part;
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

/** What the recipe trains, as it is before the first step. */
function newPart(
  { trains, lora, seed }: TrainingRecipe,
  unet: UNet2DConditionModel,
  wholeOf: (unet: UNet2DConditionModel) => WholeUNet = WholeUNet.copyOf,
): TrainedPart {
  return trains === 'unet'
    ? wholeOf(unet)
    : new LoraPart(LoraAdapter.create(unet.adaptableLayers(), lora, seed));
}

function fromContents({ config, tensors }: AdapterContents, pipeline: TangoPipeline): LoraAdapter {
  return LoraAdapter.fromTensors(pipeline.denoiser.unet.adaptableLayers(), config, tensors);
}
