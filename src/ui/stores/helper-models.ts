import type { LoadProgress } from '../../engine/protocol';
import type { HelperModels, HelperSummary } from '../../engine/protocol-helpers';
import { type Failure, toFailure } from './failure';

/** The models of one kind that help beside the one that makes sounds, as the Models panel lists them. */
export interface HelperModelsState<S extends HelperSummary = HelperSummary> {
  /** Null until they have been asked for. */
  readonly models: readonly S[] | null;
  /** What last went wrong with them; null when it went well the next time. */
  readonly failure: Failure | null;
  /** The one whose bytes are being read. */
  readonly checking: { readonly id: string; readonly progress: LoadProgress | null } | null;
  /** Damaged files of models that were checked in this visit; an empty list is a sound model. */
  readonly checks: Readonly<Record<string, readonly string[]>>;
  /** Reads the list of models again. */
  refresh(): Promise<void>;
  /** Compares every byte of an imported one with what was kept. */
  verify(id: string): Promise<void>;
  /** Frees the memory of one, where one is in memory between two jobs. */
  unload(id: string): Promise<void>;
  /** Forgets an imported one. */
  remove(id: string): Promise<void>;
}

/** The part of a store that is the same for CLAPs, PANNs and sentence embedders. */
export function helperModels<S extends HelperSummary>(
  api: HelperModels<S> & { unload?(id: string): Promise<void> },
  set: (part: Partial<HelperModelsState<S>>) => void,
  get: () => HelperModelsState<S>,
): HelperModelsState<S> {
  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
      set({ failure: null });
    } catch (error) {
      set({ failure: toFailure(error) });
    }
  }

  async function read(): Promise<void> {
    try {
      set({ models: await api.models() });
    } catch (error) {
      set({ failure: toFailure(error) });
    }
  }

  return {
    models: null,
    failure: null,
    checking: null,
    checks: {},
    refresh: read,
    verify: async (id) => {
      if (get().checking) return;
      set({ checking: { id, progress: null } });
      await attempt(async () => {
        const { damaged } = await api.verify(id, {
          onProgress: (progress) => set({ checking: { id, progress } }),
        });
        set({ checks: { ...get().checks, [id]: damaged } });
      });
      set({ checking: null });
      await read();
    },
    unload: async (id) => {
      await attempt(async () => api.unload?.(id));
      await read();
    },
    remove: async (id) => {
      await attempt(() => api.remove(id));
      await read();
    },
  };
}
