import { createStore } from 'zustand/vanilla';
import type { StudioEngine } from '../../engine/protocol';
import type { SentenceModelSummary } from '../../engine/protocol-sentence-embeddings';
import { type Failure, toFailure } from './failure';

export interface SentenceState {
  /** The sentence embedders there are; null until they have been asked for. */
  readonly models: readonly SentenceModelSummary[] | null;
  readonly failure: Failure | null;
  /** Reads the list of models again. */
  refresh(): Promise<void>;
  remove(id: string): Promise<void>;
}

/** What embeds prompts beside the CLAPs. */
export function createSentenceStore({ sentenceEmbeddings }: Pick<StudioEngine, 'sentenceEmbeddings'>) {
  return createStore<SentenceState>()((set, get) => ({
    models: null,
    failure: null,
    refresh: async () => {
      try {
        set({ models: await sentenceEmbeddings.models() });
      } catch (error) {
        set({ failure: toFailure(error) });
      }
    },
    remove: async (id) => {
      try {
        await sentenceEmbeddings.remove(id);
        set({ failure: null });
      } catch (error) {
        set({ failure: toFailure(error) });
      }
      await get().refresh();
    },
  }));
}
