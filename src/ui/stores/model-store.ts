import { createStore } from 'zustand/vanilla';
import type { LoadProgress, ModelFile, ModelSummary, StudioEngine } from '../../engine/protocol';
import { BUNDLED_MODEL_ID } from '../../engine/protocol-limits';
import type { TrainRun } from '../../engine/protocol-training';
import { type Failure, toFailure } from './failure';
import { isAdapter } from './is-adapter';
import { isClap } from './is-clap';
import { isPann } from './is-pann';
import { isSentenceEmbedder } from './is-sentence-embedder';

export type ModelJob =
  | { readonly kind: 'load'; readonly modelId: string; readonly progress: LoadProgress | null }
  | { readonly kind: 'import'; readonly progress: LoadProgress | null };

export interface ModelState {
  /** Null until the list has been read. */
  readonly models: readonly ModelSummary[] | null;
  /** The model in use. */
  readonly current: ModelSummary | null;
  readonly job: ModelJob | null;
  /** Files were given while another job runs; they are taken after it. */
  readonly importWaits: boolean;
  readonly failure: (Failure & { readonly during: 'list' | 'load' | 'import' | 'remove' }) | null;
  /** The adapter that the last import brought, until the next one; null when it brought a model. */
  readonly addedAdapter: TrainRun | null;
  /** The model the next generation is meant for: the one being loaded, else the one in use, else the one to come. */
  targetId(): string;
  /** Reads the list and loads the model of the last visit, else the first one, unless one is loaded already. */
  open(loaded: ModelSummary | null): Promise<void>;
  use(id: string): Promise<void>;
  /** Frees the memory of the model in use. */
  unload(): Promise<void>;
  /** Takes a model, a CLAP, PANNs, a sentence embedder, or a LoRA for the model in use. */
  importFiles(files: readonly ModelFile[] | Promise<readonly ModelFile[]>): Promise<void>;
  /** Reads the list again. */
  refresh(): Promise<void>;
  cancel(): void;
  remove(id: string): Promise<void>;
  dismissFailure(): void;
}

export interface ModelStoreOptions {
  readonly lastModelId: () => string | null;
  readonly onUsed: (id: string) => void;
  readonly onAdapter: (adapter: TrainRun) => void;
  readonly onClap: () => void;
  readonly onPann: () => void;
  readonly onSentenceModel: () => void;
}

/** An engine that ended is told by its status, and once it is back the list and the model are read again. */
const ENGINE_ENDED: ReadonlySet<Failure['code']> = new Set(['worker-died', 'device-lost']);

export function createModelStore(
  engine: StudioEngine,
  { lastModelId, onUsed, onAdapter, onClap, onPann, onSentenceModel }: ModelStoreOptions,
) {
  let abort: AbortController | null = null;
  let running: Promise<void> | null = null;

  return createStore<ModelState>()((set, get) => {
    /**
     * Runs one job at a time, shows its progress, and keeps what went wrong; a cancelled job is no failure. The first
     * model's load begins by itself, perhaps while files are being chosen: who comes second takes their turn.
     */
    async function run(job: ModelJob, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
      while (running) {
        if (job.kind === 'import') set({ importWaits: true });
        await running;
      }
      running = runNow(job, work);
      await running;
    }

    async function runNow(job: ModelJob, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
      const controller = new AbortController();
      abort = controller;
      // A load that begins by itself must not wipe away what was wrong with the files of a moment ago.
      const failure = job.kind === 'load' && get().failure?.during === 'import' ? get().failure : null;
      set({ job, failure, ...(job.kind === 'import' && { importWaits: false }) });
      try {
        await work(controller.signal);
      } catch (error) {
        const failure = toFailure(error);
        if (failure.code === 'cancelled') return;
        if (job.kind === 'load' && ENGINE_ENDED.has(failure.code)) return;
        set({ failure: { ...failure, during: job.kind } });
      } finally {
        abort = null;
        running = null;
        set({ job: null });
      }
    }

    function failedToList(error: unknown): void {
      const failure = toFailure(error);
      if (!ENGINE_ENDED.has(failure.code)) set({ failure: { ...failure, during: 'list' } });
    }

    function onProgress(progress: LoadProgress): void {
      set(({ job }) => ({ job: job && { ...job, progress } }));
    }

    async function load(id: string, signal: AbortSignal): Promise<void> {
      set({ current: await engine.models.load(id, { signal, onProgress }) });
      onUsed(id);
    }

    function preferred(models: readonly ModelSummary[]): ModelSummary | undefined {
      const last = lastModelId();
      return models.find((one) => one.id === last) ?? models[0];
    }

    return {
      models: null,
      current: null,
      job: null,
      importWaits: false,
      failure: null,
      addedAdapter: null,
      targetId: () => {
        const { job, current, models } = get();
        if (job?.kind === 'load') return job.modelId;
        const expected = models ? preferred(models)?.id : lastModelId();
        return current?.id ?? expected ?? BUNDLED_MODEL_ID;
      },
      open: async (loaded) => {
        try {
          const models = await engine.models.list();
          const about = get().failure?.during;
          set({ models, current: loaded, ...((about === 'list' || about === 'load') && { failure: null }) });
          if (loaded) return;
          // What a person is taking in meanwhile may be the model to use.
          while (running) await running;
          const model = preferred(get().models ?? models);
          if (model && get().current === null) await get().use(model.id);
        } catch (error) {
          failedToList(error);
        }
      },
      use: (id) => run({ kind: 'load', modelId: id, progress: null }, (signal) => load(id, signal)),
      unload: async () => {
        try {
          await engine.models.unload();
          set({ current: null, failure: null });
        } catch (error) {
          set({ failure: { ...toFailure(error), during: 'load' } });
        }
      },
      importFiles: (files) =>
        run({ kind: 'import', progress: null }, async (signal) => {
          const given = await files;
          if (isPann(given)) {
            await engine.panns.importFiles(given, { signal, onProgress });
            set({ addedAdapter: null });
            onPann();
            return;
          }
          if (isAdapter(given)) {
            const addedAdapter = await engine.train.importAdapter(given);
            set({ addedAdapter });
            onAdapter(addedAdapter);
            return;
          }
          set({ addedAdapter: null });
          if (isClap(given)) {
            await engine.clap.importFiles(given, { signal, onProgress });
            onClap();
            return;
          }
          if (isSentenceEmbedder(given)) {
            await engine.sentenceEmbeddings.importFiles(given, { signal, onProgress });
            onSentenceModel();
            return;
          }
          const model = await engine.models.importFiles(given, { signal, onProgress });
          set({ models: await engine.models.list() });
          await load(model.id, signal);
        }),
      refresh: async () => {
        try {
          set({ models: await engine.models.list() });
        } catch (error) {
          failedToList(error);
        }
      },
      cancel: () => abort?.abort(),
      remove: async (id) => {
        try {
          await engine.models.remove(id);
          const models = await engine.models.list();
          set({ models, failure: null });
          if (get().current?.id === id) {
            set({ current: null });
            if (models[0]) await get().use(models[0].id);
          }
        } catch (error) {
          set({ failure: { ...toFailure(error), during: 'remove' } });
        }
      },
      dismissFailure: () => set({ failure: null }),
    };
  });
}
