import { InvalidInputError, JobCancelledError, NonFiniteError } from '../../common/errors';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import { ForwardProcess } from '../../training/forward-process';
import { type AdapterContents, readAdapterFiles, resolveAdapter } from '../../training/lora/adapter-formats';
import { LoraAdapter } from '../../training/lora/lora-adapter';
import { writeAdapterFiles } from '../../training/lora/peft-format';
import {
  type CachedPair,
  type CachedText,
  PreferenceTrainer,
  type TrainingData,
} from '../../training/preference-trainer';
import type { JobOptions, ModelFile } from '../protocol';
import type { TrainApi, TrainMetrics, TrainProgress, TrainRequest, TrainRun } from '../protocol-training';
import { checkPairs, clipSeconds, recipeOf, resolveSettings } from './train-request';
import { cachePair, cacheText } from './training-data';
import type { TrainingStore } from './training-store';

/** One trainer at a time over all tabs of the browser. */
const LOCK = 'tango-studio-training';
/** Steps whose time tells that of those to come. */
const TIMED_STEPS = 10;

export interface TrainerEngine {
  /** Waits for a turn on the device and runs `work` with the model; between two turns other jobs run. */
  turn<T>(
    modelId: string,
    signal: AbortSignal | undefined,
    work: (pipeline: TangoPipeline, signal: AbortSignal) => Promise<T>,
  ): Promise<T>;
  /** The model that requests without an id mean. */
  modelId(): string;
}

/** Training in the engine: one run at a time, step by step between other jobs, with checkpoints to go on from. */
export class Trainer implements TrainApi {
  readonly #engine: TrainerEngine;
  readonly #store: TrainingStore;
  #activeRun: string | null = null;
  #pauseAsked = false;

  constructor(engine: TrainerEngine, store: TrainingStore) {
    this.#engine = engine;
    this.#store = store;
  }

  get active(): boolean {
    return this.#activeRun !== null;
  }

  async start(request: TrainRequest, options: JobOptions<TrainProgress> = {}): Promise<TrainRun> {
    const settings = resolveSettings(request);
    const pairs = checkPairs(request.pairs);
    const seconds = clipSeconds(request.durationSeconds, pairs);
    const modelId = request.modelId ?? this.#engine.modelId();
    const id = crypto.randomUUID();
    return this.#alone(id, async () => {
      const data = await this.#prepare(id, modelId, pairs, seconds, options);
      const { state, ...planned } = await this.#engine.turn(modelId, options.signal, async (pipeline) => {
        const recipe = recipeOf(settings);
        const adapter = LoraAdapter.create(pipeline.denoiser.unet.linears(), recipe.lora, recipe.seed);
        const trainer = new PreferenceTrainer(
          recipe,
          data,
          adapter,
          new ForwardProcess(pipeline.denoiser.schedulerConfig),
        );
        try {
          const { totalSteps } = trainer.plan;
          return {
            state: await trainer.snapshot(),
            stepCount: totalSteps,
            parameterCount: adapter.parameterCount,
          };
        } finally {
          trainer.dispose();
          adapter.dispose();
        }
      });
      const run: TrainRun = {
        id,
        name: request.name ?? `${pairs.length} pairs`,
        modelId,
        state: 'stopped',
        step: 0,
        ...planned,
        pairCount: pairs.length,
        settings,
        createdAt: new Date().toISOString(),
        failure: null,
      };
      await this.#store.saveCheckpoint(id, { state, metrics: [] });
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

  async runs(): Promise<readonly TrainRun[]> {
    return (await this.#store.list()).map((run) =>
      run.id === this.#activeRun ? { ...run, state: 'running' } : run,
    );
  }

  async metrics(runId: string): Promise<readonly TrainMetrics[]> {
    const run = await this.#store.run(runId);
    return run.state === 'imported' ? [] : (await this.#store.checkpoint(runId)).metrics;
  }

  async remove(runId: string): Promise<void> {
    if (runId === this.#activeRun) {
      throw new InvalidInputError('The run is being trained: pause or cancel it first, then remove it.');
    }
    await this.#store.run(runId);
    await this.#store.remove(runId);
  }

  async exportAdapter(runId: string): Promise<readonly ModelFile[]> {
    const run = await this.#store.run(runId);
    const contents = await this.#engine.turn(run.modelId, undefined, async (pipeline) => {
      const adapter = await this.#build(run, pipeline);
      try {
        return { config: adapter.config, tensors: await adapter.tensors() };
      } finally {
        adapter.dispose();
      }
    });
    return writeAdapterFiles(contents, run.modelId);
  }

  async importAdapter(files: readonly ModelFile[], modelId = this.#engine.modelId()): Promise<TrainRun> {
    const parsed = await readAdapterFiles(files);
    const { contents, parameterCount } = await this.#engine.turn(modelId, undefined, async (pipeline) => {
      const paths = [...pipeline.denoiser.unet.linears().keys()];
      const contents = resolveAdapter(parsed, paths);
      const adapter = fromContents(contents, pipeline);
      const { parameterCount } = adapter;
      adapter.dispose();
      return { contents, parameterCount };
    });
    const run: TrainRun = {
      id: crypto.randomUUID(),
      name: parsed.name,
      modelId,
      state: 'imported',
      step: 0,
      stepCount: 0,
      pairCount: 0,
      parameterCount,
      settings: null,
      createdAt: new Date().toISOString(),
      failure: null,
    };
    await this.#store.create(run, { adapter: contents });
    return run;
  }

  /**
   * Hangs a run's adapter, as of its last checkpoint, into the loaded model.
   * @returns the function that takes it out and frees it
   * @throws ModelNotFoundError, InvalidInputError when it is of another model
   */
  async attach(runId: string, modelId: string, pipeline: TangoPipeline): Promise<() => void> {
    const run = await this.#store.run(runId);
    if (run.modelId !== modelId) {
      throw new InvalidInputError(
        `The adapter "${run.name}" is of the model "${run.modelId}", but "${modelId}" was asked for. Use them together, or leave the adapter out.`,
      );
    }
    const adapter = await this.#build(run, pipeline);
    const detach = adapter.attach(pipeline.denoiser.unet.linears());
    return () => {
      detach();
      adapter.dispose();
    };
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
    const { id: runId, modelId, settings } = start;
    if (!settings) throw new InvalidInputError(`"${start.name}" has no settings to train with.`);
    const recipe = recipeOf(settings);
    const data = await this.#store.data(runId);
    const checkpoint = await this.#store.checkpoint(runId);
    const metrics = [...checkpoint.metrics];
    const trainer = await this.#engine.turn(modelId, signal, async ({ denoiser }) => {
      const adapter = LoraAdapter.create(denoiser.unet.linears(), recipe.lora, recipe.seed);
      const built = new PreferenceTrainer(
        recipe,
        data,
        adapter,
        new ForwardProcess(denoiser.schedulerConfig),
      );
      built.restore(checkpoint.state);
      return built;
    });
    const count = trainer.plan.totalSteps;
    const clock = new StepClock(count);
    let run: TrainRun = { ...start, state: 'stopped', failure: null, step: trainer.completedSteps };
    const keep = async (): Promise<void> => {
      const index = trainer.completedSteps;
      if (index === run.step && (run.state === 'done' || !trainer.done)) return;
      onProgress?.({ runId, stage: 'checkpoint', index, count, remainingSeconds: clock.remaining(index) });
      await this.#store.saveCheckpoint(runId, { state: await trainer.snapshot(), metrics: [...metrics] });
      run = { ...run, step: index, state: trainer.done ? 'done' : 'stopped' };
      await this.#store.saveRun(run);
    };
    try {
      clock.remaining(trainer.completedSteps);
      while (!trainer.done && !this.#pauseAsked) {
        const step = await this.#engine.turn(modelId, signal, ({ denoiser }) => trainer.step(denoiser.unet));
        metrics.push(step);
        const index = trainer.completedSteps;
        const remainingSeconds = clock.remaining(index);
        onProgress?.({ runId, stage: 'train', index, count, remainingSeconds, metrics: step });
        if (index % settings.checkpointEverySteps === 0 || trainer.done) await keep();
        if (signal?.aborted) throw new JobCancelledError('Training was cancelled.');
      }
      await keep();
      return run;
    } catch (error) {
      const failure = error instanceof NonFiniteError ? error.message : null;
      if (failure) await this.#store.saveRun({ ...run, failure }).catch(() => {}); // the first error says more
      throw error;
    } finally {
      trainer.adapter.dispose();
      trainer.dispose();
    }
  }

  async #build(run: TrainRun, pipeline: TangoPipeline): Promise<LoraAdapter> {
    const imported = await this.#store.adapter(run.id);
    if (imported) return fromContents(imported, pipeline);
    if (!run.settings) throw new InvalidInputError(`"${run.name}" has no adapter.`);
    const { lora, seed } = recipeOf(run.settings);
    const { values } = (await this.#store.checkpoint(run.id)).state;
    const adapter = LoraAdapter.create(pipeline.denoiser.unet.linears(), lora, seed);
    for (const weight of adapter.weights) {
      const kept = values.get(`weight.${weight.name}`);
      if (kept) weight.write(Float32Array.from(kept));
    }
    return adapter;
  }

  /** @throws InvalidInputError when a run is being trained, here or in another tab */
  async #alone<T>(runId: string, work: () => Promise<T>): Promise<T> {
    if (this.active) {
      throw new InvalidInputError('A run is being trained already: pause it, or wait until it is done.');
    }
    this.#activeRun = runId;
    this.#pauseAsked = false;
    try {
      const locks = globalThis.navigator?.locks;
      if (!locks) return await work();
      return await locks.request(LOCK, { ifAvailable: true }, (lock) => {
        if (lock) return work();
        throw new InvalidInputError(
          'Another tab of the studio is training: pause it there first. Here you can listen and generate.',
        );
      });
    } finally {
      this.#activeRun = null;
    }
  }
}

function fromContents({ config, tensors }: AdapterContents, pipeline: TangoPipeline): LoraAdapter {
  return LoraAdapter.fromTensors(pipeline.denoiser.unet.linears(), config, tensors);
}

/** Tells the time left from that of the last steps. */
class StepClock {
  readonly #count: number;
  readonly #marks: { readonly index: number; readonly seconds: number }[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Seconds left when `index` of all are done now; null before one has been timed. */
  remaining(index: number): number | null {
    this.#marks.push({ index, seconds: performance.now() / 1000 });
    if (this.#marks.length > TIMED_STEPS) this.#marks.shift();
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (!first || !last || last.index === first.index) return null;
    return ((last.seconds - first.seconds) / (last.index - first.index)) * (this.#count - index);
  }
}
