import { createStore } from 'zustand/vanilla';
import type { HubPlan, HubSource, LoadProgress, StorageReport, StudioEngine } from '../../engine/protocol';
import { type Failure, toFailure } from './failure';

/** Something long that the panel waits for; one at a time. */
export type HubJob =
  | { readonly kind: 'inspect' }
  | {
      readonly kind: 'download';
      readonly planId: string;
      readonly progress: LoadProgress | null;
      /** Null until a few seconds have been measured. */
      readonly bytesPerSecond: number | null;
    }
  | { readonly kind: 'verify'; readonly modelId: string; readonly progress: LoadProgress | null };

export interface HubState {
  /** What was asked for and looked at, not begun yet. The token lives here only. */
  readonly source: HubSource | null;
  readonly plan: HubPlan | null;
  /** Downloads that were begun. */
  readonly downloads: readonly HubPlan[];
  readonly storage: (StorageReport & { readonly persisted: boolean | null }) | null;
  readonly job: HubJob | null;
  readonly failure: Failure | null;
  /** Damaged files of models that were checked in this visit; an empty list is a sound model. */
  readonly checks: Readonly<Record<string, readonly string[]>>;
  inspect(source: HubSource): Promise<void>;
  /** Leaves the plan that is shown. */
  dismissPlan(): void;
  /** Begins the plan's download, or goes on with one that was begun. */
  download(plan: HubPlan): Promise<void>;
  /** Stops the download or the check; what is here stays. */
  stop(): void;
  discard(id: string): Promise<void>;
  verify(modelId: string): Promise<void>;
  /** Asks the browser not to clear the studio's storage when the disk runs full. */
  persist(): Promise<void>;
  refresh(): Promise<void>;
}

/** What the browser says about its storage; the engine's worker cannot ask for persistence. */
export type PageStorageManager = Pick<StorageManager, 'persist' | 'persisted'>;

export function createHubStore(
  engine: StudioEngine,
  onModelsChanged: () => Promise<void>,
  manager: PageStorageManager | undefined = globalThis.navigator?.storage,
  now: () => number = () => performance.now() / 1000,
) {
  let abort: AbortController | null = null;

  return createStore<HubState>()((set, get) => {
    async function run(job: HubJob, work: (signal: AbortSignal) => Promise<void>): Promise<void> {
      if (get().job !== null) return;
      abort = new AbortController();
      set({ job, failure: null });
      try {
        await work(abort.signal);
      } catch (error) {
        const failure = toFailure(error);
        if (failure.code !== 'cancelled') set({ failure });
      } finally {
        abort = null;
        set({ job: null });
        await get().refresh();
      }
    }

    /** The token, when the plan is the one that was asked about. */
    function sourceOf({ repo, commit, hubUrl }: HubPlan): HubSource {
      const { source } = get();
      const token = source?.repo === repo ? source.token : undefined;
      return { repo, revision: commit, hubUrl, ...(token ? { token } : {}) };
    }

    return {
      source: null,
      plan: null,
      downloads: [],
      storage: null,
      job: null,
      failure: null,
      checks: {},
      inspect: (source) =>
        run({ kind: 'inspect' }, async () => {
          set({ plan: null, source });
          set({ plan: await engine.models.inspect(source) });
        }),
      dismissPlan: () => set({ plan: null, source: null, failure: null }),
      download: (plan) =>
        run({ kind: 'download', planId: plan.id, progress: null, bytesPerSecond: null }, async (signal) => {
          const begun = { at: now(), bytes: -1 };
          await engine.models.download(sourceOf(plan), {
            signal,
            onProgress: (progress) => {
              // Bytes that were here already count as none of the speed.
              if (begun.bytes < 0 || progress.loadedBytes < begun.bytes) {
                Object.assign(begun, { at: now(), bytes: progress.loadedBytes });
              }
              const seconds = now() - begun.at;
              const bytesPerSecond = seconds > 2 ? (progress.loadedBytes - begun.bytes) / seconds : null;
              set(({ job }) =>
                job?.kind === 'download' ? { job: { ...job, progress, bytesPerSecond } } : {},
              );
            },
          });
          set({ plan: null, source: null });
          await onModelsChanged();
        }),
      stop: () => abort?.abort(),
      discard: async (id) => {
        try {
          await engine.models.remove(id);
        } catch (error) {
          set({ failure: toFailure(error) });
        }
        await get().refresh();
      },
      verify: (modelId) =>
        run({ kind: 'verify', modelId, progress: null }, async (signal) => {
          const { damaged } = await engine.models.verify(modelId, {
            signal,
            onProgress: (progress) =>
              set(({ job }) => (job?.kind === 'verify' ? { job: { ...job, progress } } : {})),
          });
          set(({ checks }) => ({ checks: { ...checks, [modelId]: damaged } }));
          await onModelsChanged();
        }),
      persist: async () => {
        await manager?.persist?.();
        await get().refresh();
      },
      refresh: async () => {
        try {
          const [downloads, storage] = await Promise.all([
            engine.models.downloads(),
            engine.models.storage(),
          ]);
          const persisted = (await manager?.persisted?.()) ?? null;
          set({ downloads, storage: { ...storage, persisted } });
        } catch (error) {
          set({ failure: toFailure(error) });
        }
      },
    };
  });
}
