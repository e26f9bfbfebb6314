import * as tf from '@tensorflow/tfjs-core';
import packageJson from '../../../package.json';
import { required } from '../../common/assert';
import {
  DeviceLostError,
  InvalidInputError,
  JobCancelledError,
  NonFiniteError,
  StorageError,
  type StudioError,
} from '../../common/errors';
import { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import { type ComputeDevice, openDevice } from '../../gpu/device';
import type { ModelFolder } from '../../weights';
import type {
  BackendChoice,
  EngineInfo,
  GenerateProgress,
  GenerateRequest,
  JobOptions,
  LoadProgress,
  ModelSummary,
  ModelsApi,
  Sound,
  StagesApi,
  StudioEngine,
} from '../protocol';
import type { BenchmarkProgress, BenchmarkRequest, BenchmarkResult } from '../protocol-benchmark';
import type { ClapApi, ClapModelSummary } from '../protocol-clap';
import { BUNDLED_MODEL_ID, GENERATE_DEFAULTS } from '../protocol-limits';
import type { PannModelSummary, PannsApi } from '../protocol-panns';
import type { PreferencesApi } from '../protocol-preferences';
import type { SentenceEmbeddingsApi, SentenceModelSummary } from '../protocol-sentence-embeddings';
import type { TrainApi } from '../protocol-training';
import type { EngineEvent, EngineStartOptions } from '../rpc/methods';
import { asStudioError } from '../rpc/wire-error';
import { benchmarkStages } from './benchmark';
import { ClapLibrary } from './clap-library';
import { ClapScorer } from './clap-scorer';
import { openEmbedderWorker } from './embedder-worker';
import { generateTakes } from './generate-takes';
import { HubDownloads } from './hub-downloads';
import { JobQueue } from './job-queue';
import { openKeyValueStore } from './key-value-store';
import { ModelLibrary } from './model-library';
import { ModelStore } from './model-store';
import { modelsApi } from './models-api';
import { PannLibrary } from './pann-library';
import { PannTagger } from './pann-tagger';
import { PreferenceStore } from './preference-store';
import { Preferences } from './preferences';
import { StageSpeeds } from './progress-estimate';
import { checkDuration, checkTensor, resolveBenchmark, resolveRequest } from './resolve-request';
import { SentenceEmbedders } from './sentence-embeddings';
import { stagesOf } from './stages';
import { Trainer } from './trainer';
import type { ModelNeeds } from './trainer-engine';
import { TrainingStore } from './training-store';

/** Models up to this size stay on the backend while an imported one is checked. */
const ROOM_FOR_TWO_BYTES = 256 * 2 ** 20;

/** A model on the backend, ready to run. */
interface LoadedModel {
  readonly summary: ModelSummary;
  readonly pipeline: TangoPipeline;
}

/**
 * The engine itself: what `StudioEngine` promises, done with tensors. It runs in a worker and is served to the page by
 * engine/rpc; in Node it runs as it is.
 *
 * One job at a time: a job is whatever touches the device. A job that fails leaves the device as it was before it.
 * When the GPU is lost, the job that runs and all later ones reject with `DeviceLostError`: `onEvent` tells whoever
 * started the engine, who starts another one.
 */
export class EngineHost implements StudioEngine {
  readonly models: ModelsApi;
  readonly stages: StagesApi;
  readonly train: TrainApi;
  readonly clap: ClapApi;
  readonly panns: PannsApi;
  readonly sentenceEmbeddings: SentenceEmbeddingsApi;
  readonly preferences: PreferencesApi;

  readonly #library: ModelLibrary;
  readonly #trainer: Trainer;
  readonly #clap: ClapScorer;
  readonly #panns: PannTagger;
  readonly #queue = new JobQueue();
  readonly #onEvent: (event: EngineEvent) => void;
  #device: ComputeDevice;
  #backendChoice: BackendChoice;
  #lost: StudioError | null = null;
  /** The model that requests without a `modelId` mean. */
  #modelId: string;
  #loaded: LoadedModel | null = null;
  #speeds = new StageSpeeds();
  /** Kept models that were checked after a NaN. */
  readonly #verified = new Set<string>();

  /** @throws BackendUnavailableError */
  static async open(
    options: EngineStartOptions,
    onEvent: (event: EngineEvent) => void = () => {},
    store: ModelStore = new ModelStore(openKeyValueStore('tango-studio-models')),
    trainingStore: TrainingStore = new TrainingStore(openKeyValueStore('tango-studio-training')),
    preferenceStore: PreferenceStore = new PreferenceStore(openKeyValueStore('tango-studio-preferences')),
    clapStore: ModelStore<ClapModelSummary> = new ModelStore(openKeyValueStore('tango-studio-claps')),
    pannStore: ModelStore<PannModelSummary> = new ModelStore(openKeyValueStore('tango-studio-panns')),
    sentenceEmbedders: SentenceEmbedders = new SentenceEmbedders(
      new ModelStore<SentenceModelSummary>(openKeyValueStore('tango-studio-sentence-embedders')),
      openEmbedderWorker,
    ),
  ): Promise<EngineHost> {
    const device = await openDevice(options.backend);
    return new EngineHost(
      options,
      device,
      new ModelLibrary(options.modelsUrl, store),
      trainingStore,
      preferenceStore,
      new ClapLibrary(options.modelsUrl, clapStore),
      new PannLibrary(pannStore),
      sentenceEmbedders,
      onEvent,
    );
  }

  private constructor(
    options: EngineStartOptions,
    device: ComputeDevice,
    library: ModelLibrary,
    trainingStore: TrainingStore,
    preferenceStore: PreferenceStore,
    clapLibrary: ClapLibrary,
    pannLibrary: PannLibrary,
    sentenceEmbedders: SentenceEmbedders,
    onEvent: (event: EngineEvent) => void,
  ) {
    this.#device = device;
    this.#backendChoice = options.backend;
    this.#modelId = options.modelId ?? BUNDLED_MODEL_ID;
    this.#library = library;
    this.#onEvent = onEvent;
    this.#watch(device);
    this.models = modelsApi(
      {
        job: (signal, work) => this.#job(signal, work),
        use: async (id, jobOptions) => {
          const { summary } = await this.#load(id, jobOptions);
          this.#modelId = id;
          return summary;
        },
        check: (folder, jobOptions) => this.#check(folder, jobOptions),
        unload: (id = this.#loaded?.summary.id) => {
          if (id !== undefined && this.#loaded?.summary.id === id) this.#unload();
        },
        runs: () => this.#trainer.runs(),
        importClap: (files, jobOptions, plan) => this.#clap.importFiles(files, jobOptions, plan),
        importPann: (files, jobOptions, plan) => this.#panns.importFiles(files, jobOptions, plan),
        importSentenceModel: (files, jobOptions, plan) =>
          sentenceEmbedders.importFiles(files, jobOptions, plan),
        modelId: () => this.#modelId,
        forget: (id) => {
          if (this.#modelId === id) this.#modelId = BUNDLED_MODEL_ID;
        },
      },
      library,
      new HubDownloads(library.values),
    );
    this.#trainer = new Trainer(
      {
        modelId: () => this.#modelId,
        generate: async (pipeline, request, signal = new AbortController().signal) => {
          const [sound] = await generateTakes({
            pipeline,
            request,
            lineage: [],
            modelLineage: undefined,
            latents: undefined,
            returnStages: false,
            backend: this.#device.backend,
            speeds: this.#speeds,
            onProgress: undefined,
            signal,
          });
          return required(sound, 'a sound of the sample prompt');
        },
        turn: (id, jobSignal, work, needs) =>
          this.#job(jobSignal, async (signal) =>
            work((await this.#load(id, { signal }, needs)).pipeline, signal),
          ),
      },
      trainingStore,
    );
    this.train = this.#trainer;
    this.#clap = new ClapScorer(clapLibrary, (jobSignal, work) => this.#job(jobSignal, work));
    this.clap = this.#clap;
    this.#panns = new PannTagger(pannLibrary, (jobSignal, work) => this.#job(jobSignal, work));
    this.panns = this.#panns;
    this.sentenceEmbeddings = sentenceEmbedders;
    this.preferences = new Preferences(
      {
        generate: (request, jobOptions) => this.generate(request, jobOptions),
        clap: this.clap,
        sentenceEmbeddings: this.sentenceEmbeddings,
        modelId: () => this.#modelId,
        backend: () => this.#device.backend,
      },
      preferenceStore,
    );
    this.stages = stagesOf((run) =>
      this.#job(undefined, async (signal) => run((await this.#load(this.#modelId, { signal })).pipeline)),
    );
  }

  async info(): Promise<EngineInfo> {
    const device = this.#device;
    return {
      backend: device.backend,
      backendChoice: this.#backendChoice,
      backendReason: device.reason,
      adapter: device.adapter,
      features: device.features,
      limits: device.limits,
      wasm: device.wasm,
      memory: { ...device.memory(), tensorCount: tf.memory().numTensors },
      versions: { studio: packageJson.version, tfjs: tf.version_core },
      model: this.#loaded?.summary ?? null,
    };
  }

  async setBackend(choice: BackendChoice): Promise<EngineInfo> {
    if (this.#trainer.active) {
      throw new InvalidInputError(
        'A run is being trained on this backend: pause it first, then change the backend and go on.',
      );
    }
    return this.#queue.run(async () => {
      if (choice === this.#backendChoice && !this.#lost) return this.info();
      const model = this.#loaded?.summary.id;
      this.#unload();
      this.#clap.releaseAll();
      this.#panns.releaseAll();
      try {
        // Opened before the old one is let go: a backend that cannot be had leaves the engine where it is.
        const device = await openDevice(choice);
        this.#device.dispose();
        this.#device = device;
        this.#backendChoice = choice;
        this.#lost = null;
        this.#watch(device);
      } finally {
        if (model !== undefined && !this.#lost) await this.#load(model, {});
      }
      return this.info();
    });
  }

  async generate(
    request: GenerateRequest,
    { onProgress, signal }: JobOptions<GenerateProgress> = {},
  ): Promise<readonly Sound[]> {
    const resolved = resolveRequest(request, request.modelId ?? this.#modelId);
    if (request.latents) checkTensor('latents', request.latents, ['1', 'C', 'H', 'W']);
    const { count: takeCount, steps: stepCount } = resolved;
    const beforeTheFirst = {
      takeIndex: 0,
      takeCount,
      stepIndex: 0,
      stepCount,
      fraction: 0,
      remainingSeconds: null,
    };
    if (this.#queue.busy) onProgress?.({ stage: 'queued', ...beforeTheFirst });
    return this.#job(signal, async (running) => {
      onProgress?.({ stage: 'load-model', ...beforeTheFirst });
      const { pipeline, summary } = await this.#load(resolved.modelId, { signal: running });
      checkDuration(resolved.durationSeconds, summary);
      const adapters = resolved.adapters ?? [];
      const lineage = await Promise.all(adapters.map(({ id }) => this.#trainer.parts.lineage(id)));
      const detach = await this.#trainer.parts.attach(adapters, resolved.modelId, pipeline);
      try {
        return await generateTakes({
          pipeline,
          request: resolved,
          lineage,
          modelLineage: summary.lineage,
          latents: request.latents,
          returnStages: request.returnStages ?? false,
          backend: this.#device.backend,
          speeds: this.#speeds,
          onProgress,
          signal: running,
        });
      } catch (error) {
        if (error instanceof NonFiniteError) await this.#explain(summary);
        throw error;
      } finally {
        detach();
      }
    });
  }

  async benchmark(
    request: BenchmarkRequest = {},
    { onProgress, signal }: JobOptions<BenchmarkProgress> = {},
  ): Promise<BenchmarkResult> {
    const { runs, durationSeconds } = resolveBenchmark(request);
    return this.#job(signal, async (running) => {
      const { pipeline, summary } = await this.#load(this.#modelId, { signal: running });
      checkDuration(durationSeconds, summary);
      const { backend, adapter } = this.#device;
      const job = { pipeline, durationSeconds, runs, backend, adapter, onProgress, signal: running };
      const stages = await benchmarkStages(job);
      const { features, wasm, memory, versions } = await this.info();
      return {
        modelId: summary.id,
        modelName: summary.name,
        ...{ backend, adapter, features, wasm, durationSeconds, runs, stages, versions },
        memory: {
          gpuBytes: memory.gpuBytes,
          gpuBytesPeak: memory.gpuBytesPeak,
          wasmHeapBytes: memory.wasmHeapBytes,
        },
      };
    });
  }

  /** Frees the model and the device; calls that wait reject. */
  dispose(): void {
    this.#lost ??= new JobCancelledError('The engine was closed.');
    this.#unload();
    this.#clap.releaseAll();
    this.#panns.releaseAll();
    this.#device.dispose();
  }

  /** Runs `work` when its turn comes; a lost device ends it, and what the GPU reported fails it. */
  #job<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return this.#queue.run(async () => {
      if (this.#lost) throw this.#lost;
      const device = this.#device;
      const running = new AbortController();
      const abort = (): void => running.abort(new JobCancelledError('The job was cancelled.'));
      signal?.addEventListener('abort', abort);
      if (signal?.aborted) abort();
      const lost = device.lost.then((): never => {
        running.abort(this.#lost);
        throw this.#lost;
      });
      lost.catch(() => {}); // the device may be lost when no job runs
      try {
        // Work on a lost device may wait for an answer that never comes.
        const result = await Promise.race([work(running.signal), lost]);
        const refused = device.takeError();
        if (refused) throw refused;
        return result;
      } catch (error) {
        if (this.#lost) throw this.#lost;
        throw device.takeError() ?? asStudioError(error);
      } finally {
        signal?.removeEventListener('abort', abort);
        // Buffers of disposed tensors are given back by a submit.
        if (!this.#lost) await device.finish().catch(() => {});
      }
    }, signal);
  }

  #watch(device: ComputeDevice): void {
    void device.lost.then(({ message }) => {
      if (device !== this.#device || this.#lost) return;
      this.#lost = new DeviceLostError(`The GPU was lost (${message}). Run the job again.`);
      this.#onEvent({ type: 'device-lost', message });
    });
  }

  /**
   * The model, loaded when it is not the one that is.
   * @param needs `all-but-unet`: training may have taken the UNet's weights, and they need not come back
   */
  async #load(
    id: string,
    options: JobOptions<LoadProgress>,
    needs: ModelNeeds = 'all',
  ): Promise<LoadedModel> {
    if (this.#loaded?.summary.id === id) {
      if (needs === 'all') await this.#loaded.pipeline.restoreUNet(options.signal);
      return this.#loaded;
    }
    const { folder, summary } = await this.#library.open(id, options);
    // The old one goes first: two large models rarely fit, and the old one can be loaded again.
    this.#unload();
    const pipeline = await TangoPipeline.load(folder, options);
    try {
      await pipeline.compileAhead(GENERATE_DEFAULTS.durationSeconds);
    } catch (error) {
      pipeline.dispose();
      throw error;
    }
    this.#loaded = { summary, pipeline };
    return this.#loaded;
  }

  #unload(): void {
    this.#loaded?.pipeline.dispose();
    this.#loaded = null;
    this.#device.trim();
    this.#speeds = new StageSpeeds();
  }

  /**
   * The first NaN of a kept model: were its bytes damaged where they lie?
   * @throws StorageError when they were
   */
  async #explain({ id, name }: ModelSummary): Promise<void> {
    if (this.#verified.has(id)) return;
    this.#verified.add(id);
    const damaged = await this.#library.verify(id);
    if (!damaged || damaged.length === 0) return;
    this.#unload();
    throw new StorageError(
      `"${name}" made numbers that are no sound, and its files are damaged in the browser's storage: ${damaged.join(', ')}. Remove the model and import or download it again.`,
    );
  }

  /** Builds and loads a folder's model, and lets it go again. */
  async #check(folder: ModelFolder, options: JobOptions<LoadProgress>): Promise<void> {
    // Beside a small model there is room; a large one is loaded again when it is next asked for.
    if (this.#loaded && this.#loaded.summary.bytes > ROOM_FOR_TWO_BYTES) this.#unload();
    const pipeline = await TangoPipeline.load(folder, options);
    pipeline.dispose();
    this.#device.trim();
  }
}
