import { createStore } from 'zustand/vanilla';
import type { Sound, StudioEngine } from '../../engine/protocol';
import type { ClapModelSummary, ClapScore } from '../../engine/protocol-clap';
import { toFailure } from './failure';
import { type HelperModelsState, helperModels } from './helper-models';

export interface ClapState extends HelperModelsState<ClapModelSummary> {
  /** Scores of each sound, by its id, in the order of the models. */
  readonly scores: Readonly<Record<string, readonly ClapScore[]>>;
  /** Sounds that wait for their scores. */
  readonly waiting: readonly string[];
  /** The model whose scores takes are sorted by; null: in the order they were made. */
  readonly sortBy: string | null;
  setSortBy(modelId: string | null): void;
  /** Asks every CLAP how well the sound fits its prompt; resolves when the answer is kept, or the failure. */
  score(sound: Sound): Promise<void>;
}

/** What CLAP says of the takes: asked for each take as soon as it is made, beside the making of the next. */
export function createClapStore(engine: Pick<StudioEngine, 'clap'>) {
  return createStore<ClapState>()((set, get) => ({
    ...helperModels(engine.clap, set, get),
    scores: {},
    waiting: [],
    sortBy: null,
    setSortBy: (sortBy) => set({ sortBy }),
    score: async ({ id, audio, sampleRateHz, parameters: { prompt } }) => {
      if (get().scores[id] || get().waiting.includes(id)) return;
      set(({ waiting }) => ({ waiting: [...waiting, id] }));
      try {
        const models = await engine.clap.models();
        if (models.length > 0) {
          const [scores = []] = await engine.clap.score({ items: [{ prompt, audio, sampleRateHz }] });
          set((state) => ({ scores: { ...state.scores, [id]: scores }, failure: null }));
        }
      } catch (error) {
        set({ failure: toFailure(error) });
      } finally {
        set(({ waiting }) => ({ waiting: waiting.filter((one) => one !== id) }));
      }
    },
  }));
}

/** The score of one model; undefined before it is there. */
export function scoreOf(scores: readonly ClapScore[] | undefined, modelId: string): number | undefined {
  return scores?.find((score) => score.modelId === modelId)?.score;
}

/** For each model the id of the take that it scores highest, once two or more have scores. */
export function bestTakes(
  takeIds: readonly string[],
  scores: ClapState['scores'],
): ReadonlyMap<string, string> {
  const best = new Map<string, { readonly takeId: string; readonly score: number }>();
  const scored = takeIds.filter((id) => scores[id]);
  if (scored.length < 2) return new Map();
  for (const takeId of scored) {
    for (const { modelId, score } of scores[takeId] ?? []) {
      const before = best.get(modelId);
      if (!before || score > before.score) best.set(modelId, { takeId, score });
    }
  }
  return new Map([...best].map(([modelId, { takeId }]) => [modelId, takeId]));
}

/** Best first by one model; takes without a score keep their order behind them. */
export function sortedByScore<T extends { readonly id: string }>(
  takes: readonly T[],
  scores: ClapState['scores'],
  modelId: string | null,
): readonly T[] {
  if (modelId === null) return takes;
  const value = ({ id }: T): number => scoreOf(scores[id], modelId) ?? Number.NEGATIVE_INFINITY;
  return takes.toSorted((a, b) => {
    const [x, y] = [value(a), value(b)];
    return x === y ? 0 : y - x;
  });
}
