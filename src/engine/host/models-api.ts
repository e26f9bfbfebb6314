import { InvalidInputError, ModelNotFoundError } from '../../common/errors';
import type { ModelFolder } from '../../weights';
import type { HubPlan, JobOptions, LoadProgress, ModelFile, ModelSummary, ModelsApi } from '../protocol';
import type { ClapModelSummary } from '../protocol-clap';
import { BUNDLED_MODEL_ID } from '../protocol-limits';
import type { PannModelSummary } from '../protocol-panns';
import type { SentenceModelSummary } from '../protocol-sentence-embeddings';
import type { TrainRun } from '../protocol-training';
import type { HubDownloads } from './hub-downloads';
import type { ModelLibrary } from './model-library';

/** What the models need of the engine: its device, one job at a time. */
export interface ModelsEngine {
  job<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Loads the model and makes it the one in use; inside a job. */
  use(id: string, options: JobOptions<LoadProgress>): Promise<ModelSummary>;
  /** Tries a folder's model on the device; inside a job. */
  check(folder: ModelFolder, options: JobOptions<LoadProgress>): Promise<void>;
  /** Frees the loaded model, if `id` is left out or its id; inside a job. */
  unload(id?: string): void;
  /** Every run and imported adapter, of whatever model. */
  runs(): Promise<readonly TrainRun[]>;
  /** Id of the model that requests mean when they name none. */
  modelId(): string;
  /** Keeps a CLAP that was downloaded. */
  importClap(
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress>,
    plan: HubPlan,
  ): Promise<ClapModelSummary>;
  /** Keeps PANNs that were downloaded. */
  importPann(
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress>,
    plan: HubPlan,
  ): Promise<PannModelSummary>;
  /** Keeps a sentence embedder that was downloaded. */
  importSentenceModel(
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress>,
    plan: HubPlan,
  ): Promise<SentenceModelSummary>;
  /** A model that is in use no more. */
  forget(id: string): void;
}

/** The part of the engine that gets, keeps, checks and lets go of models. */
export function modelsApi(engine: ModelsEngine, library: ModelLibrary, downloads: HubDownloads): ModelsApi {
  function importFiles(
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress>,
    plan: HubPlan | null = null,
  ): Promise<ModelSummary> {
    return engine.job(options.signal, (signal) => {
      const running = { ...options, signal };
      return library.importFiles(files, (folder) => engine.check(folder, running), running, plan);
    });
  }

  const load: ModelsApi['load'] = (id, options = {}) =>
    engine.job(options.signal, (signal) => engine.use(id, { ...options, signal }));

  return {
    list: () => library.list(),
    importFiles: (files, options = {}) => importFiles(files, options),
    load,
    use: load,
    unload: () => engine.job(undefined, async () => engine.unload()),
    async remove(id) {
      if (await downloads.remove(id)) return;
      await engine.job(undefined, async () => {
        await library.remove(id);
        engine.unload(id);
        engine.forget(id);
      });
    },
    async verify(id, options) {
      if (id === BUNDLED_MODEL_ID) {
        throw new InvalidInputError(
          'The model that comes with the studio is checked whenever it is fetched.',
        );
      }
      const damaged = await library.verify(id, options);
      if (damaged) return { damaged };
      throw new ModelNotFoundError(`There is no kept model "${id}" in this browser to check.`);
    },
    inspect: (source) => downloads.inspect(source),
    // The device is free for other jobs until the files are here.
    async download(source, options = {}) {
      const { plan, files } = await downloads.fetch(source, options);
      if (plan.kind !== 'text-to-audio') {
        const keep = {
          clap: engine.importClap,
          pann: engine.importPann,
          'sentence-embeddings': engine.importSentenceModel,
        }[plan.kind];
        const helper = await keep(files, options, plan);
        await downloads.remove(plan.id);
        return helper;
      }
      const model = await importFiles(files, options, plan);
      // What storage had no room for is read from the download itself: that one stays.
      if (await library.keeps(model.id)) await downloads.remove(plan.id);
      return model;
    },
    downloads: () => downloads.list(),
    async storage() {
      // Private windows of some browsers have no estimate.
      const { usage, quota } = (await globalThis.navigator?.storage?.estimate?.().catch(() => null)) ?? {};
      return {
        usedBytes: usage ?? null,
        quotaBytes: quota ?? null,
        unreadable: await library.unreadable(),
      };
    },
    async adapters(modelId = engine.modelId()) {
      const runs = await engine.runs();
      return runs.filter((run) => run.modelId === modelId && (run.step > 0 || run.state === 'imported'));
    },
  };
}
