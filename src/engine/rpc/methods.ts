import type {
  BackendChoice,
  EngineInfo,
  GenerateProgress,
  GenerateRequest,
  HubPlan,
  HubSource,
  JobOptions,
  LoadProgress,
  ModelCheck,
  ModelFile,
  ModelSummary,
  Sound,
  StagesApi,
  StorageReport,
  StudioEngine,
} from '../protocol';
import type { BenchmarkProgress, BenchmarkRequest, BenchmarkResult } from '../protocol-benchmark';
import type {
  ClapAudioRequest,
  ClapEmbeddings,
  ClapModelSummary,
  ClapProgress,
  ClapScore,
  ClapScoreRequest,
  ClapTextRequest,
} from '../protocol-clap';
import type { PannModelSummary, PannTag, PannTagRequest } from '../protocol-panns';
import type { ClusterRequest, PreferenceProgress, PreferencesApi } from '../protocol-preferences';
import type {
  SentenceEmbeddingProgress,
  SentenceEmbeddingRequest,
  SentenceEmbeddings,
  SentenceModelSummary,
} from '../protocol-sentence-embeddings';
import type {
  ExaminedPair,
  ExamineProgress,
  TrainApi,
  TrainProgress,
  TrainRequest,
  TrainRun,
} from '../protocol-training';
import type { WireResult } from './wire-error';

type Method<Args extends readonly unknown[], Result, Progress = never> = {
  readonly args: Args;
  readonly result: Result;
  readonly progress: Progress;
};
type StageMethod<Name extends keyof StagesApi> = Method<
  Parameters<StagesApi[Name]>,
  Awaited<ReturnType<StagesApi[Name]>>
>;

type TrainMethod<Name extends keyof TrainApi> = Method<
  Parameters<TrainApi[Name]>,
  Awaited<ReturnType<TrainApi[Name]>>
>;
type PreferenceMethod<Name extends keyof PreferencesApi, Args extends readonly unknown[]> = Method<
  Args,
  Awaited<ReturnType<PreferencesApi[Name]>>,
  PreferenceProgress
>;
type PreferenceArgs<Name extends keyof PreferencesApi> = Parameters<PreferencesApi[Name]>;

/** Every call of `StudioEngine`, flattened to a name: arguments, result, what its progress callback receives. */
export interface EngineMethods {
  info: Method<[], EngineInfo>;
  setBackend: Method<[BackendChoice], EngineInfo>;
  'models.list': Method<[], readonly ModelSummary[]>;
  'models.importFiles': Method<[readonly ModelFile[]], ModelSummary, LoadProgress>;
  'models.load': Method<[string], ModelSummary, LoadProgress>;
  'models.unload': Method<[], void>;
  'models.remove': Method<[string], void>;
  'models.verify': Method<[string], ModelCheck, LoadProgress>;
  'models.inspect': Method<[HubSource], HubPlan>;
  'models.download': Method<
    [HubSource],
    ModelSummary | ClapModelSummary | PannModelSummary | SentenceModelSummary,
    LoadProgress
  >;
  'models.downloads': Method<[], readonly HubPlan[]>;
  'models.storage': Method<[], StorageReport>;
  'models.adapters': Method<[string | undefined], readonly TrainRun[]>;
  generate: Method<[GenerateRequest], readonly Sound[], GenerateProgress>;
  'stages.encodeText': StageMethod<'encodeText'>;
  'stages.predict': StageMethod<'predict'>;
  'stages.encode': StageMethod<'encode'>;
  'stages.decode': StageMethod<'decode'>;
  'stages.vocode': StageMethod<'vocode'>;
  'stages.mel': StageMethod<'mel'>;
  'train.start': Method<[TrainRequest], TrainRun, TrainProgress>;
  'train.resume': Method<[string], TrainRun, TrainProgress>;
  'train.pause': TrainMethod<'pause'>;
  'train.checkpoint': TrainMethod<'checkpoint'>;
  'train.runs': TrainMethod<'runs'>;
  'train.metrics': TrainMethod<'metrics'>;
  'train.history': TrainMethod<'history'>;
  'train.samples': TrainMethod<'samples'>;
  'train.examine': Method<[string, readonly number[]], readonly ExaminedPair[], ExamineProgress>;
  'train.listen': TrainMethod<'listen'>;
  'train.rename': TrainMethod<'rename'>;
  'train.remove': TrainMethod<'remove'>;
  'train.estimate': TrainMethod<'estimate'>;
  'train.exportMetrics': TrainMethod<'exportMetrics'>;
  'train.lineage': TrainMethod<'lineage'>;
  'train.exportAdapter': TrainMethod<'exportAdapter'>;
  'train.exportMerged': TrainMethod<'exportMerged'>;
  'train.importAdapter': TrainMethod<'importAdapter'>;
  'preferences.clusterPrompts': PreferenceMethod<'clusterPrompts', [ClusterRequest]>;
  'preferences.datasets': PreferenceMethod<'datasets', []>;
  'preferences.create': PreferenceMethod<'create', PreferenceArgs<'create'>>;
  'preferences.forecast': PreferenceMethod<'forecast', PreferenceArgs<'forecast'>>;
  'preferences.run': PreferenceMethod<'run', [string]>;
  'preferences.pause': PreferenceMethod<'pause', []>;
  'preferences.remove': PreferenceMethod<'remove', [string]>;
  'preferences.groups': PreferenceMethod<'groups', [string]>;
  'preferences.clip': PreferenceMethod<'clip', [string, string]>;
  'preferences.select': PreferenceMethod<'select', PreferenceArgs<'select'>>;
  'preferences.votes': PreferenceMethod<'votes', [string]>;
  'preferences.vote': PreferenceMethod<'vote', PreferenceArgs<'vote'>>;
  'preferences.removeVote': PreferenceMethod<'removeVote', [string, string]>;
  'preferences.pairs': PreferenceMethod<'pairs', PreferenceArgs<'pairs'>>;
  'preferences.health': PreferenceMethod<'health', PreferenceArgs<'health'>>;
  'preferences.importFiles': PreferenceMethod<'importFiles', [readonly ModelFile[]]>;
  'preferences.exportFile': PreferenceMethod<
    'exportFile',
    [string, PreferenceArgs<'exportFile'>[1], PreferenceArgs<'exportFile'>[2]]
  >;
  benchmark: Method<[BenchmarkRequest | undefined], BenchmarkResult, BenchmarkProgress>;
  'clap.models': Method<[], readonly ClapModelSummary[]>;
  'clap.importFiles': Method<[readonly ModelFile[]], ClapModelSummary, LoadProgress>;
  'clap.verify': Method<[string], ModelCheck, LoadProgress>;
  'clap.unload': Method<[string], void>;
  'clap.remove': Method<[string], void>;
  'clap.score': Method<[ClapScoreRequest], readonly (readonly ClapScore[])[], ClapProgress>;
  'clap.embedText': Method<[ClapTextRequest], ClapEmbeddings, ClapProgress>;
  'clap.embedAudio': Method<[ClapAudioRequest], ClapEmbeddings, ClapProgress>;
  'panns.models': Method<[], readonly PannModelSummary[]>;
  'panns.importFiles': Method<[readonly ModelFile[]], PannModelSummary, LoadProgress>;
  'panns.verify': Method<[string], ModelCheck, LoadProgress>;
  'panns.unload': Method<[string], void>;
  'panns.remove': Method<[string], void>;
  'panns.tag': Method<[PannTagRequest], readonly PannTag[]>;
  'sentenceEmbeddings.models': Method<[], readonly SentenceModelSummary[]>;
  'sentenceEmbeddings.importFiles': Method<[readonly ModelFile[]], SentenceModelSummary, LoadProgress>;
  'sentenceEmbeddings.verify': Method<[string], ModelCheck, LoadProgress>;
  'sentenceEmbeddings.remove': Method<[string], void>;
  'sentenceEmbeddings.embed': Method<
    [SentenceEmbeddingRequest],
    SentenceEmbeddings,
    SentenceEmbeddingProgress
  >;
}
export type EngineMethod = keyof EngineMethods;

export type EngineHandlers = {
  readonly [M in EngineMethod]: (
    args: EngineMethods[M]['args'],
    options: JobOptions<EngineMethods[M]['progress']>,
  ) => Promise<EngineMethods[M]['result']>;
};

/** Calls by name → calls of the engine. */
export function handlersOf(engine: StudioEngine): EngineHandlers {
  const { models, stages, train, clap, panns, sentenceEmbeddings, preferences } = engine;
  return {
    info: () => engine.info(),
    setBackend: ([choice]) => engine.setBackend(choice),
    'models.list': () => models.list(),
    'models.importFiles': ([files], options) => models.importFiles(files, options),
    'models.load': ([id], options) => models.load(id, options),
    'models.unload': () => models.unload(),
    'models.remove': ([id]) => models.remove(id),
    'models.verify': ([id], options) => models.verify(id, options),
    'models.inspect': ([source]) => models.inspect(source),
    'models.download': ([source], options) => models.download(source, options),
    'models.downloads': () => models.downloads(),
    'models.storage': () => models.storage(),
    'models.adapters': ([modelId]) => models.adapters(modelId),
    generate: ([request], options) => engine.generate(request, options),
    'stages.encodeText': ([prompts]) => stages.encodeText(prompts),
    'stages.predict': ([input]) => stages.predict(input),
    'stages.encode': ([mel]) => stages.encode(mel),
    'stages.decode': ([latents]) => stages.decode(latents),
    'stages.vocode': ([mel]) => stages.vocode(mel),
    'stages.mel': ([waveform]) => stages.mel(waveform),
    'train.start': ([request], options) => train.start(request, options),
    'train.resume': ([runId], options) => train.resume(runId, options),
    'train.pause': () => train.pause(),
    'train.checkpoint': () => train.checkpoint(),
    'train.runs': () => train.runs(),
    'train.metrics': ([runId]) => train.metrics(runId),
    'train.history': ([runId]) => train.history(runId),
    'train.samples': ([runId]) => train.samples(runId),
    'train.examine': ([runId, levels], options) => train.examine(runId, levels, options),
    'train.listen': (args) => train.listen(...args),
    'train.rename': (args) => train.rename(...args),
    'train.remove': ([runId]) => train.remove(runId),
    'train.estimate': (args) => train.estimate(...args),
    'train.exportMetrics': (args) => train.exportMetrics(...args),
    'train.lineage': ([runId]) => train.lineage(runId),
    'train.exportAdapter': ([runId]) => train.exportAdapter(runId),
    'train.exportMerged': (args) => train.exportMerged(...args),
    'train.importAdapter': (args) => train.importAdapter(...args),
    'preferences.clusterPrompts': ([request], options) => preferences.clusterPrompts(request, options),
    'preferences.datasets': () => preferences.datasets(),
    'preferences.create': (args) => preferences.create(...args),
    'preferences.forecast': (args) => preferences.forecast(...args),
    'preferences.run': ([id], options) => preferences.run(id, options),
    'preferences.pause': () => preferences.pause(),
    'preferences.remove': ([id]) => preferences.remove(id),
    'preferences.groups': ([id]) => preferences.groups(id),
    'preferences.clip': (args) => preferences.clip(...args),
    'preferences.select': (args) => preferences.select(...args),
    'preferences.votes': ([id]) => preferences.votes(id),
    'preferences.vote': (args) => preferences.vote(...args),
    'preferences.removeVote': (args) => preferences.removeVote(...args),
    'preferences.pairs': (args) => preferences.pairs(...args),
    'preferences.health': (args) => preferences.health(...args),
    'preferences.importFiles': ([files], options) => preferences.importFiles(files, options),
    'preferences.exportFile': (args, options) => preferences.exportFile(...args, options),
    benchmark: ([request], options) => engine.benchmark(request, options),
    'clap.models': () => clap.models(),
    'clap.importFiles': ([files], options) => clap.importFiles(files, options),
    'clap.verify': ([id], options) => clap.verify(id, options),
    'clap.unload': ([id]) => clap.unload(id),
    'clap.remove': ([id]) => clap.remove(id),
    'clap.score': ([request], options) => clap.score(request, options),
    'clap.embedText': ([request], options) => clap.embedText(request, options),
    'clap.embedAudio': ([request], options) => clap.embedAudio(request, options),
    'panns.models': () => panns.models(),
    'panns.importFiles': ([files], options) => panns.importFiles(files, options),
    'panns.verify': ([id], options) => panns.verify(id, options),
    'panns.unload': ([id]) => panns.unload(id),
    'panns.remove': ([id]) => panns.remove(id),
    'panns.tag': ([request], options) => panns.tag(request, options),
    'sentenceEmbeddings.models': () => sentenceEmbeddings.models(),
    'sentenceEmbeddings.importFiles': ([files], options) => sentenceEmbeddings.importFiles(files, options),
    'sentenceEmbeddings.verify': ([id], options) => sentenceEmbeddings.verify(id, options),
    'sentenceEmbeddings.remove': ([id]) => sentenceEmbeddings.remove(id),
    'sentenceEmbeddings.embed': ([request], options) => sentenceEmbeddings.embed(request, options),
  };
}

export type Invoke = <M extends EngineMethod>(
  method: M,
  args: EngineMethods[M]['args'],
  options?: JobOptions<EngineMethods[M]['progress']>,
) => Promise<EngineMethods[M]['result']>;

/** The inverse of `handlersOf`: an engine whose every call goes through `invoke`. */
export function engineFrom(invoke: Invoke): StudioEngine {
  return {
    info: () => invoke('info', []),
    setBackend: (choice) => invoke('setBackend', [choice]),
    models: {
      list: () => invoke('models.list', []),
      importFiles: (files, options) => invoke('models.importFiles', [files], options),
      load: (id, options) => invoke('models.load', [id], options),
      use: (id, options) => invoke('models.load', [id], options),
      unload: () => invoke('models.unload', []),
      remove: (id) => invoke('models.remove', [id]),
      verify: (id, options) => invoke('models.verify', [id], options),
      inspect: (source) => invoke('models.inspect', [source]),
      download: (source, options) => invoke('models.download', [source], options),
      downloads: () => invoke('models.downloads', []),
      storage: () => invoke('models.storage', []),
      adapters: (modelId) => invoke('models.adapters', [modelId]),
    },
    generate: (request, options) => invoke('generate', [request], options),
    stages: {
      encodeText: (prompts) => invoke('stages.encodeText', [prompts]),
      predict: (input) => invoke('stages.predict', [input]),
      encode: (mel) => invoke('stages.encode', [mel]),
      decode: (latents) => invoke('stages.decode', [latents]),
      vocode: (mel) => invoke('stages.vocode', [mel]),
      mel: (waveform) => invoke('stages.mel', [waveform]),
    },
    train: {
      start: (request, options) => invoke('train.start', [request], options),
      resume: (runId, options) => invoke('train.resume', [runId], options),
      pause: () => invoke('train.pause', []),
      checkpoint: () => invoke('train.checkpoint', []),
      runs: () => invoke('train.runs', []),
      metrics: (runId) => invoke('train.metrics', [runId]),
      history: (runId) => invoke('train.history', [runId]),
      samples: (runId) => invoke('train.samples', [runId]),
      examine: (runId, levels, options) => invoke('train.examine', [runId, levels], options),
      listen: (...args) => invoke('train.listen', args),
      rename: (...args) => invoke('train.rename', args),
      remove: (runId) => invoke('train.remove', [runId]),
      estimate: (...args) => invoke('train.estimate', args),
      exportMetrics: (...args) => invoke('train.exportMetrics', args),
      lineage: (runId) => invoke('train.lineage', [runId]),
      exportAdapter: (runId) => invoke('train.exportAdapter', [runId]),
      exportMerged: (...args) => invoke('train.exportMerged', args),
      importAdapter: (...args) => invoke('train.importAdapter', args),
    },
    preferences: {
      clusterPrompts: (request, options) => invoke('preferences.clusterPrompts', [request], options),
      datasets: () => invoke('preferences.datasets', []),
      create: (...args) => invoke('preferences.create', args),
      forecast: (...args) => invoke('preferences.forecast', args),
      run: (id, options) => invoke('preferences.run', [id], options),
      pause: () => invoke('preferences.pause', []),
      remove: (id) => invoke('preferences.remove', [id]),
      groups: (id) => invoke('preferences.groups', [id]),
      clip: (...args) => invoke('preferences.clip', args),
      select: (...args) => invoke('preferences.select', args),
      votes: (id) => invoke('preferences.votes', [id]),
      vote: (...args) => invoke('preferences.vote', args),
      removeVote: (...args) => invoke('preferences.removeVote', args),
      pairs: (...args) => invoke('preferences.pairs', args),
      health: (...args) => invoke('preferences.health', args),
      importFiles: (files, options) => invoke('preferences.importFiles', [files], options),
      exportFile: (id, format, filter, options) =>
        invoke('preferences.exportFile', [id, format, filter], options),
    },
    benchmark: (request, options) => invoke('benchmark', [request], options),
    clap: {
      models: () => invoke('clap.models', []),
      importFiles: (files, options) => invoke('clap.importFiles', [files], options),
      verify: (id, options) => invoke('clap.verify', [id], options),
      unload: (id) => invoke('clap.unload', [id]),
      remove: (id) => invoke('clap.remove', [id]),
      score: (request, options) => invoke('clap.score', [request], options),
      embedText: (request, options) => invoke('clap.embedText', [request], options),
      embedAudio: (request, options) => invoke('clap.embedAudio', [request], options),
    },
    panns: {
      models: () => invoke('panns.models', []),
      importFiles: (files, options) => invoke('panns.importFiles', [files], options),
      verify: (id, options) => invoke('panns.verify', [id], options),
      unload: (id) => invoke('panns.unload', [id]),
      remove: (id) => invoke('panns.remove', [id]),
      tag: ({ audio, sampleRateHz, modelId, count }, options) =>
        // A sound of `generate` may be given, whose pictures and stages need not cross.
        invoke(
          'panns.tag',
          [
            {
              audio,
              sampleRateHz,
              ...(modelId !== undefined && { modelId }),
              ...(count !== undefined && { count }),
            },
          ],
          options,
        ),
    },
    sentenceEmbeddings: {
      models: () => invoke('sentenceEmbeddings.models', []),
      importFiles: (files, options) => invoke('sentenceEmbeddings.importFiles', [files], options),
      verify: (id, options) => invoke('sentenceEmbeddings.verify', [id], options),
      remove: (id) => invoke('sentenceEmbeddings.remove', [id]),
      embed: (request, options) => invoke('sentenceEmbeddings.embed', [request], options),
    },
  };
}

/** What the engine is built with when its worker starts. */
export interface EngineStartOptions {
  readonly backend: BackendChoice;
  /** Absolute URL of the folder that holds `default/`, with a slash at its end. */
  readonly modelsUrl: string;
  /** Model that requests without a `modelId` mean; null: the bundled one. */
  readonly modelId: string | null;
}

/** What the engine says without being asked. */
export type EngineEvent = { readonly type: 'device-lost'; readonly message: string };

/** The object that the worker exposes by Comlink. */
export interface EngineService {
  /** Name of the Web Lock the worker holds for as long as it lives; null where there are no locks. */
  hello(): Promise<{ lifeLock: string | null }>;
  start(options: EngineStartOptions, onEvent: (event: EngineEvent) => void): Promise<WireResult<void>>;
  call(
    method: EngineMethod,
    args: readonly unknown[],
    jobId: number,
    onProgress: ((progress: unknown) => void) | null,
  ): Promise<WireResult<unknown>>;
  /** Aborts the call that was made with this id; nothing when it has ended. */
  cancel(jobId: number): void;
}
