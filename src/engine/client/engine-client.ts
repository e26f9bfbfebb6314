import type {
  BackendChoice,
  EngineStatus,
  JobOptions,
  LoadProgress,
  ModelFile,
  ModelSummary,
  ModelsApi,
  StudioEngine,
} from '../protocol';
import type { ClapApi, ClapModelSummary } from '../protocol-clap';
import type { PannModelSummary, PannsApi } from '../protocol-panns';
import type { PreferenceDataset, PreferenceProgress, PreferencesApi } from '../protocol-preferences';
import type { SentenceEmbeddingsApi, SentenceModelSummary } from '../protocol-sentence-embeddings';

/** `ModelsApi` that takes a folder as the page gets it, too: Files whose `webkitRelativePath`, else `name`, is the path. */
export interface ClientModelsApi extends ModelsApi {
  importFiles(
    files: readonly (File | ModelFile)[],
    options?: JobOptions<LoadProgress>,
  ): Promise<ModelSummary>;
}

/** `ClapApi` that takes a folder as the page gets it, too. */
export interface ClientClapApi extends ClapApi {
  importFiles(
    files: readonly (File | ModelFile)[],
    options?: JobOptions<LoadProgress>,
  ): Promise<ClapModelSummary>;
}

/** `PannsApi` that takes Files as the page gets them, too. */
export interface ClientPannsApi extends PannsApi {
  importFiles(
    files: readonly (File | ModelFile)[],
    options?: JobOptions<LoadProgress>,
  ): Promise<PannModelSummary>;
}

/** `SentenceEmbeddingsApi` that takes a folder as the page gets it, too. */
export interface ClientSentenceEmbeddingsApi extends SentenceEmbeddingsApi {
  importFiles(
    files: readonly (File | ModelFile)[],
    options?: JobOptions<LoadProgress>,
  ): Promise<SentenceModelSummary>;
}

/** `PreferencesApi` that takes Files and a folder as the page gets them, too. */
export interface ClientPreferencesApi extends PreferencesApi {
  importFiles(
    files: readonly (File | ModelFile)[],
    options?: JobOptions<PreferenceProgress>,
  ): Promise<PreferenceDataset>;
}

/**
 * The page's side of the engine: every call of `StudioEngine` is answered by a worker, which this object starts,
 * watches and starts again when it dies.
 *
 * A call made while the worker starts waits for it. A job that was running when the worker died or the GPU was
 * lost rejects with `WorkerDiedError` or `DeviceLostError`: making the same call again runs it on the new worker,
 * which loads the model that was in use.
 */
export interface EngineClient extends StudioEngine {
  readonly models: ClientModelsApi;
  readonly clap: ClientClapApi;
  readonly panns: ClientPannsApi;
  readonly sentenceEmbeddings: ClientSentenceEmbeddingsApi;
  readonly preferences: ClientPreferencesApi;
  readonly status: EngineStatus;
  /** Calls `listener` on every later change of `status`; returns the function that stops it. */
  subscribe(listener: (status: EngineStatus) => void): () => void;
  /**
   * Ends the worker (running jobs reject with `WorkerDiedError`) and starts a new one.
   * @throws BackendUnavailableError, WorkerDiedError when the new one does not start
   */
  restart(): Promise<void>;
  /** Ends the worker for good: running and later calls reject with `JobCancelledError`. */
  dispose(): void;
}

export interface EngineClientOptions {
  /** Backend to begin with; default `auto`. */
  readonly backend?: BackendChoice;
  /** Starts a worker that serves the engine; default: the studio's own worker. */
  readonly createWorker?: () => Worker;
  /** Folder of the bundled models, as an absolute URL; default: `models/` beside the page. */
  readonly modelsUrl?: string;
}
