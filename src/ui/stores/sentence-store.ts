import { createStore } from 'zustand/vanilla';
import type { StudioEngine } from '../../engine/protocol';
import type { SentenceModelSummary } from '../../engine/protocol-sentence-embeddings';
import { type HelperModelsState, helperModels } from './helper-models';

export type SentenceState = HelperModelsState<SentenceModelSummary>;

/** What embeds prompts beside the CLAPs. */
export function createSentenceStore({ sentenceEmbeddings }: Pick<StudioEngine, 'sentenceEmbeddings'>) {
  return createStore<SentenceState>()((set, get) => helperModels(sentenceEmbeddings, set, get));
}
