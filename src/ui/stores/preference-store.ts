import { createStore } from 'zustand/vanilla';
import type { EngineClient } from '../../engine/client/engine-client';
import type { ModelFile } from '../../engine/protocol-jobs';
import type {
  CreateDatasetRequest,
  NewVote,
  PreferenceDataset,
  PreferenceExportFormat,
  PreferenceForecast,
  PreferenceProgress,
} from '../../engine/protocol-preferences';
import type { TrainingClip } from '../../engine/protocol-training';
import type { DatasetHealth } from '../../preferences/health/dataset-health';
import type { ChoiceFilter } from '../../preferences/selection/choose-pairs';
import type { SelectionSettings } from '../../preferences/selection/ensemble-filter';
import type { CandidateGroup } from '../../preferences/types';
import type { Vote } from '../../preferences/votes/vote';
import { type Failure, toFailure } from './failure';

export interface PreferenceState {
  /** Null until they are read. */
  readonly datasets: readonly PreferenceDataset[] | null;
  readonly openId: string | null;
  /** Of the dataset that is open. */
  readonly groups: readonly CandidateGroup[];
  readonly votes: readonly Vote[];
  readonly progress: PreferenceProgress | null;
  /** The dataset that is being made, or '' while pairs come in or go out. */
  readonly runningId: string | null;
  readonly failure: Failure | null;
  refresh(): Promise<void>;
  open(id: string | null): Promise<void>;
  create(request: CreateDatasetRequest): Promise<boolean>;
  forecast(request: CreateDatasetRequest, measure: boolean): Promise<PreferenceForecast | null>;
  run(id: string): Promise<void>;
  pause(): Promise<void>;
  remove(id: string): Promise<void>;
  select(choice: { selection: SelectionSettings | null; rankingModelId?: string | null }): Promise<void>;
  /** False when it was not kept; `failure` says why. */
  vote(vote: NewVote): Promise<boolean>;
  undoVote(rater: string): Promise<Vote | null>;
  /** Of the chosen pairs; null when that failed. */
  health(): Promise<DatasetHealth | null>;
  clip(clipId: string): Promise<TrainingClip>;
  importFiles(files: readonly (File | ModelFile)[]): Promise<void>;
  exportFile(format: PreferenceExportFormat, filter: ChoiceFilter): Promise<ModelFile | null>;
}

/** Preference datasets as the panel shows them; the engine holds them. */
export function createPreferenceStore({ preferences }: EngineClient) {
  return createStore<PreferenceState>()((set, get) => {
    /** Runs `work`; what goes wrong is shown, and the answer is null then. */
    async function attempt<T>(work: () => Promise<T>): Promise<T | null> {
      set({ failure: null });
      try {
        return await work();
      } catch (error) {
        const failure = toFailure(error);
        if (failure.code !== 'cancelled') set({ failure });
        return null;
      }
    }

    /** Clips come in one by one: the open dataset is read again as often as a person can follow. */
    let lastRead = 0;
    async function reread(id: string): Promise<void> {
      lastRead = Date.now();
      const [groups, datasets] = await Promise.all([preferences.groups(id), preferences.datasets()]);
      if (get().openId === id) set({ groups });
      set({ datasets });
    }

    const openDataset = (): PreferenceDataset | undefined =>
      get().datasets?.find(({ id }) => id === get().openId);

    return {
      datasets: null,
      openId: null,
      groups: [],
      votes: [],
      progress: null,
      runningId: null,
      failure: null,
      refresh: async () => {
        await attempt(async () => set({ datasets: await preferences.datasets() }));
      },
      open: async (openId) => {
        set({ openId, groups: [], votes: [] });
        if (openId === null) return;
        await attempt(async () => {
          const [groups, votes] = await Promise.all([preferences.groups(openId), preferences.votes(openId)]);
          if (get().openId === openId) set({ groups, votes });
        });
      },
      create: async (request) => {
        const dataset = await attempt(() => preferences.create(request));
        if (!dataset) return false;
        set(({ datasets }) => ({ datasets: [dataset, ...(datasets ?? [])] }));
        await get().open(dataset.id);
        return true;
      },
      forecast: (request, measure) => attempt(() => preferences.forecast(request, measure)),
      run: async (id) => {
        if (get().runningId !== null) return;
        set({ runningId: id, progress: null });
        await attempt(() =>
          preferences.run(id, {
            onProgress: (progress) => {
              set({ progress });
              if (Date.now() - lastRead > 5000) void reread(id).catch(() => {}); // the end reads it again
            },
          }),
        );
        set({ runningId: null, progress: null });
        const { failure } = get();
        await attempt(() => reread(id));
        if (failure) set({ failure });
      },
      pause: async () => {
        await attempt(() => preferences.pause());
      },
      remove: async (id) => {
        await attempt(() => preferences.remove(id));
        if (get().openId === id) await get().open(null);
        await get().refresh();
      },
      select: async (choice) => {
        const dataset = openDataset();
        if (!dataset) return;
        const changed = await attempt(() => preferences.select(dataset.id, choice));
        if (changed) {
          set(({ datasets }) => ({
            datasets: (datasets ?? []).map((one) =>
              one.id === changed.id
                ? { ...one, selection: changed.selection, rankingModelId: changed.rankingModelId }
                : one,
            ),
          }));
        }
      },
      vote: async (vote) => {
        const { openId } = get();
        if (!openId) return false;
        const kept = await attempt(() => preferences.vote(openId, vote));
        if (kept && get().openId === openId) set(({ votes }) => ({ votes: [...votes, kept] }));
        return kept !== null;
      },
      undoVote: async (rater) => {
        const { openId, votes } = get();
        const last = votes.findLast((vote) => vote.rater === rater);
        if (!openId || !last) return null;
        await attempt(() => preferences.removeVote(openId, last.id));
        set({ votes: get().votes.filter(({ id }) => id !== last.id) });
        return last;
      },
      health: () => attempt(() => preferences.health(get().openId ?? '')),
      clip: (clipId) => preferences.clip(get().openId ?? '', clipId),
      importFiles: async (files) => {
        if (get().runningId !== null) return;
        set({ runningId: '', progress: null });
        const dataset = await attempt(() =>
          preferences.importFiles(files, { onProgress: (progress) => set({ progress }) }),
        );
        set({ runningId: null, progress: null });
        if (!dataset) return;
        await get().refresh();
        await get().open(dataset.id);
      },
      exportFile: async (format, filter) => {
        const { openId, runningId } = get();
        if (openId === null || runningId !== null) return null;
        set({ runningId: '', progress: null });
        const file = await attempt(() =>
          preferences.exportFile(openId, format, filter, { onProgress: (progress) => set({ progress }) }),
        );
        set({ runningId: null, progress: null });
        return file;
      },
    };
  });
}
