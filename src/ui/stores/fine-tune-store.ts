import { createStore } from 'zustand/vanilla';
import { InvalidInputError } from '../../common/errors';
import type { StudioEngine } from '../../engine/protocol';
import type {
  TrainHistory,
  TrainingPair,
  TrainProgress,
  TrainRequest,
  TrainRun,
  TrainSample,
  TrainSettings,
} from '../../engine/protocol-training';
import { type Failure, toFailure } from './failure';
import { checkPairs, type PairProblem } from './fine-tune-pairs';
import { type PresetId, presetById } from './fine-tune-presets';

/** Where pairs come from; the preference datasets of the engine, or a fake in tests. */
export interface PairSource {
  list(): Promise<readonly PairDataset[]>;
  pairs(datasetId: string): Promise<readonly TrainingPair[]>;
}

export interface PairDataset {
  readonly id: string;
  readonly name: string;
  /** Of every clip; null where they differ or are not known before they are read. */
  readonly durationSeconds: number | null;
}

/** What the next run is made with. A number is NaN while its field holds no number. */
export interface TrainDraft {
  /** Of `datasets`, or the run whose pairs are taken. */
  readonly datasetId: string | null;
  readonly dataOf: string | null;
  readonly name: string;
  /** Null once a setting differs from every preset. */
  readonly preset: PresetId | null;
  readonly settings: TrainSettings;
}

export interface FineTuneState {
  readonly draft: TrainDraft;
  /** Null until read. */
  readonly datasets: readonly PairDataset[] | null;
  /** Newest first; null until read. */
  readonly runs: readonly TrainRun[] | null;
  /** Of the run that this tab trains; null when none is. */
  readonly progress: TrainProgress | null;
  /** Pairs are being read and checked, or a run is under way. */
  readonly busy: boolean;
  readonly pausing: boolean;
  readonly selectedId: string | null;
  /** Runs whose curves are shown beside the selected one's. */
  readonly comparedIds: readonly string[];
  readonly histories: Readonly<Record<string, TrainHistory>>;
  readonly samples: Readonly<Record<string, readonly TrainSample[]>>;
  /** Pairs of the chosen dataset that cannot be trained with; the next start leaves them out. */
  readonly problems: readonly PairProblem[];
  readonly failure: Failure | null;
  /** The tab was in the background while it trained. */
  readonly wasHidden: boolean;
  change(draft: Partial<TrainDraft>): void;
  changeSettings(settings: Partial<TrainSettings>): void;
  applyPreset(id: PresetId): void;
  refresh(): Promise<void>;
  /** With problems that were told already, the pairs they are about are left out. */
  start(model: { id: string }): Promise<void>;
  resume(runId: string): Promise<void>;
  pause(): Promise<void>;
  cancel(): void;
  select(runId: string | null): Promise<void>;
  compare(runId: string, on: boolean): Promise<void>;
  duplicate(runId: string): void;
  describe(runId: string, texts: { name?: string; notes?: string }): Promise<void>;
  remove(runId: string): Promise<void>;
  importAdapter(files: readonly File[]): Promise<void>;
  setHidden(hidden: boolean): void;
  dismissFailure(): void;
}

const NO_HISTORY: TrainHistory = { metrics: [], validations: [] };

export function createFineTuneStore(engine: StudioEngine, source: PairSource) {
  let abort: AbortController | null = null;

  return createStore<FineTuneState>()((set, get) => {
    function fail(error: unknown): void {
      const failure = toFailure(error);
      if (failure.code !== 'cancelled') set({ failure });
    }

    async function attempt(work: () => Promise<void>): Promise<void> {
      try {
        await work();
      } catch (error) {
        fail(error);
      }
    }

    function hear(progress: TrainProgress): void {
      const { runId, metrics, validation, sample } = progress;
      const { histories, samples, selectedId } = get();
      const history = histories[runId] ?? NO_HISTORY;
      set({
        progress,
        selectedId: selectedId ?? runId,
        ...((metrics || validation) && {
          histories: {
            ...histories,
            [runId]: {
              metrics: metrics ? [...history.metrics, metrics] : history.metrics,
              validations: validation ? [...history.validations, validation] : history.validations,
            },
          },
        }),
        ...(sample && { samples: { ...samples, [runId]: [...(samples[runId] ?? []), sample] } }),
      });
      // The run is in the list from its first checkpoint on.
      if (
        !get().runs?.some(({ id, state }) => id === runId && state === 'running') &&
        progress.stage !== 'prepare'
      ) {
        void readRuns();
      }
    }

    async function readRuns(): Promise<void> {
      set({ runs: await engine.train.runs() });
    }

    async function load(runId: string): Promise<void> {
      const [history, samples] = await Promise.all([
        engine.train.history(runId),
        engine.train.samples(runId),
      ]);
      set({
        histories: { ...get().histories, [runId]: history },
        samples: { ...get().samples, [runId]: samples },
      });
    }

    async function follow(work: (signal: AbortSignal) => Promise<TrainRun>): Promise<void> {
      const controller = new AbortController();
      abort = controller;
      set({ busy: true, failure: null, wasHidden: false });
      try {
        const { id } = await work(controller.signal);
        await load(id);
      } catch (error) {
        fail(error);
        const { progress } = get();
        // What is shown is what is kept: steps behind the last checkpoint are gone.
        if (progress) await load(progress.runId).catch(() => {});
      } finally {
        abort = null;
        set({ busy: false, pausing: false, progress: null });
        await attempt(readRuns);
      }
    }

    return {
      draft: {
        datasetId: null,
        dataOf: null,
        name: '',
        preset: 'quick',
        settings: presetById('quick').settings,
      },
      datasets: null,
      runs: null,
      progress: null,
      busy: false,
      pausing: false,
      selectedId: null,
      comparedIds: [],
      histories: {},
      samples: {},
      problems: [],
      failure: null,
      wasHidden: false,
      change: (draft) =>
        set((state) => ({
          draft: { ...state.draft, ...draft },
          ...('datasetId' in draft || 'dataOf' in draft ? { problems: [] } : {}),
        })),
      changeSettings: (settings) =>
        set(({ draft }) => ({
          draft: { ...draft, preset: null, settings: { ...draft.settings, ...settings } },
        })),
      applyPreset: (preset) =>
        set(({ draft }) => {
          // What is listened to is the person's choice, not the recipe's.
          const { samplePrompts, sampleSeed } = draft.settings;
          return {
            draft: {
              ...draft,
              preset,
              settings: { ...presetById(preset).settings, samplePrompts, sampleSeed },
            },
          };
        }),
      refresh: () =>
        attempt(async () => {
          const [datasets] = await Promise.all([source.list(), readRuns()]);
          const { draft } = get();
          const known = datasets.some(({ id }) => id === draft.datasetId);
          set({
            datasets,
            draft: known || draft.dataOf ? draft : { ...draft, datasetId: datasets[0]?.id ?? null },
          });
          const { selectedId, runs, busy } = get();
          if (selectedId === null && !busy && runs?.[0]) await get().select(runs[0].id);
        }),
      start: async (model) => {
        if (get().busy) return;
        const { draft, datasets } = get();
        const request: TrainRequest = {
          ...draft.settings,
          modelId: model.id,
          ...(draft.name.trim() && { name: draft.name.trim() }),
        };
        set({ selectedId: null });
        await follow(async (signal) => {
          const options = { signal, onProgress: hear };
          if (draft.dataOf) return engine.train.start({ ...request, dataOf: draft.dataOf }, options);
          const dataset = datasets?.find(({ id }) => id === draft.datasetId);
          const all = dataset ? await source.pairs(dataset.id) : [];
          const told = get().problems.length;
          if (dataset && all.length === 0) throw new InvalidInputError(noPairsText(dataset.name));
          const { usable, problems } = checkPairs(all);
          set({ problems });
          if (problems.length > 0 && problems.length !== told) throw new PairsToldError();
          if (problems.length > 0 && usable.length === 0) {
            throw new InvalidInputError(
              `None of the pairs of “${dataset?.name}” can be trained with; what is wrong with each (${problems.length}) stands beside the form. Choose other pairs.`,
            );
          }
          const name = request.name ?? dataset?.name;
          return engine.train.start(
            {
              ...request,
              pairs: usable,
              ...(name && { name }),
              ...(dataset && { dataset: { id: dataset.id, name: dataset.name } }),
            },
            options,
          );
        });
      },
      resume: async (runId) => {
        if (get().busy) return;
        await attempt(() => get().select(runId));
        await follow((signal) => engine.train.resume(runId, { signal, onProgress: hear }));
      },
      pause: () =>
        attempt(async () => {
          set({ pausing: true });
          await engine.train.pause();
        }),
      cancel: () => abort?.abort(),
      select: (runId) =>
        attempt(async () => {
          set({ selectedId: runId });
          const newer = get().runs?.some(({ id, state }) => id === runId && state === 'newer');
          if (runId && !newer && get().progress?.runId !== runId) await load(runId);
        }),
      compare: (runId, on) =>
        attempt(async () => {
          const rest = get().comparedIds.filter((id) => id !== runId);
          set({ comparedIds: on ? [...rest, runId] : rest });
          if (on && !get().histories[runId]) await load(runId);
        }),
      duplicate: (runId) => {
        const run = get().runs?.find(({ id }) => id === runId);
        if (!run?.settings) return;
        set({
          draft: {
            datasetId: null,
            dataOf: runId,
            name: `${run.name} again`,
            preset: null,
            settings: run.settings,
          },
          problems: [],
        });
      },
      describe: (runId, texts) =>
        attempt(async () => {
          await engine.train.rename(runId, texts);
          await readRuns();
        }),
      remove: (runId) =>
        attempt(async () => {
          await engine.train.remove(runId);
          const { draft, selectedId, comparedIds } = get();
          set({
            comparedIds: comparedIds.filter((id) => id !== runId),
            ...(selectedId === runId && { selectedId: null }),
            ...(draft.dataOf === runId && { draft: { ...draft, dataOf: null } }),
          });
          await get().refresh();
        }),
      importAdapter: (files) =>
        attempt(async () => {
          const { id } = await engine.train.importAdapter(
            files.map((file) => ({ path: file.webkitRelativePath || file.name, blob: file })),
          );
          await readRuns();
          await get().select(id);
        }),
      setHidden: (hidden) => {
        if (!hidden || get().progress === null) return;
        set({ wasHidden: true });
        // A hidden tab may be closed without another word.
        void attempt(() => engine.train.checkpoint());
      },
      dismissFailure: () => set({ failure: null }),
    };
  });
}

/** Votes and bounds may leave nothing: that is no fault of the dataset. */
function noPairsText(name: string): string {
  return `A run needs pairs, but “${name}” gives none: its votes are ties, or its bounds let no pair through. Widen the bounds or vote on more pairs in Preferences.`;
}

/** The panel has just told which pairs cannot be used: nothing failed, and nothing began. */
class PairsToldError extends Error {
  readonly code = 'cancelled';
}
