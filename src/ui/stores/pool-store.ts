import { createJSONStorage, type PersistStorage, persist, type StateStorage } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';
import type { EngineClient } from '../../engine/client/engine-client';
import type { PromptClusters } from '../../engine/protocol-preferences';
import { PERTURBATIONS_PER_PROMPT, seedOf } from '../../preferences/candidates/plan-candidates';
import type {
  LanguageModelEndpoint,
  PerturbationKind,
} from '../../preferences/perturbation/ask-language-model';
import { perturbCaption, perturbOrder } from '../../preferences/perturbation/perturb-caption';
import type { ClusterSettings } from '../../preferences/prompt-pool/cluster-prompts';
import { tagPrompt } from '../../preferences/prompt-pool/tags';
import { type Failure, toFailure } from './failure';

/** The captions that the losers of strategies 2 and 3 are made from. */
export interface WrongCaptions {
  readonly perturbed: readonly string[];
  readonly temporal: readonly string[];
}

export interface PoolWork {
  readonly stage: 'embed' | 'cluster' | 'write';
  readonly index: number;
  readonly count: number;
  /** Null before it is known, and where it is not measured. */
  readonly remainingSeconds?: number | null;
}

export interface PoolState {
  /** One prompt a line. */
  readonly text: string;
  /** By prompt; a prompt that has none gets the rules' when the dataset is made. */
  readonly wrong: Readonly<Record<string, WrongCaptions>>;
  readonly endpoint: Omit<LanguageModelEndpoint, 'apiKey'>;
  /** Lives as long as the page. */
  readonly apiKey: string;
  readonly clusters: (PromptClusters & { readonly prompts: readonly string[] }) | null;
  /** What the picked prompts took the place of. */
  readonly before: string | null;
  readonly work: PoolWork | null;
  readonly failure: Failure | null;
  setText(text: string): void;
  setEndpoint(change: Partial<LanguageModelEndpoint>): void;
  /** @param embeddings id of what embeds the prompts; default: the engine's choice */
  cluster(prompts: readonly string[], settings: ClusterSettings, embeddings?: string): Promise<void>;
  /** The picked prompts take the place of all. */
  keepPicked(): void;
  undoPicked(): void;
  /** Wrong captions for the prompts that have none yet, by the rules or by the language model; stopped, it goes on. */
  write(prompts: readonly string[], by: 'rules' | 'language-model', seed: number): Promise<void>;
  edit(prompt: string, kind: PerturbationKind, captions: readonly string[]): void;
  /** Leaves all wrong captions, so that they are written anew. */
  clearWrong(): void;
  stop(): void;
}

type Kept = Pick<PoolState, 'text' | 'wrong' | 'endpoint'>;

/** Progress changes the state often, and what is kept rarely: a large pool is not written for each. */
function whenChanged(storage: StateStorage): PersistStorage<Kept> | undefined {
  const json = createJSONStorage<Kept>(() => storage);
  if (!json) return undefined;
  let last: Kept | null = null;
  return {
    ...json,
    setItem: (name, value) => {
      const { text, wrong, endpoint } = value.state;
      if (last && last.text === text && last.wrong === wrong && last.endpoint === endpoint) return;
      last = value.state;
      return json.setItem(name, value);
    },
  };
}

type Asker = typeof import('../../preferences/perturbation/ask-language-model').askForWrongCaptions;

/** The client of language models is large and rarely needed: it comes when it is. */
const ask: Asker = async (...args) =>
  (await import('../../preferences/perturbation/ask-language-model')).askForWrongCaptions(...args);

/** The pool of prompts that a dataset is made from, as long as it is a draft; it outlives the tab. */
export function createPoolStore(
  { preferences }: EngineClient,
  storage: StateStorage,
  askForWrongCaptions: Asker = ask,
) {
  let abort: AbortController | null = null;
  return createStore<PoolState>()(
    persist<PoolState, [], [], Kept>(
      (set, get) => {
        async function run(work: PoolWork, job: (signal: AbortSignal) => Promise<void>): Promise<void> {
          if (get().work) return;
          abort = new AbortController();
          set({ work, failure: null });
          try {
            await job(abort.signal);
          } catch (error) {
            const failure = toFailure(error);
            if (failure.code !== 'cancelled') set({ failure });
          } finally {
            abort = null;
            set({ work: null });
          }
        }

        const put = (prompt: string, change: Partial<WrongCaptions>): void => {
          set(({ wrong }) => ({
            wrong: { ...wrong, [prompt]: { perturbed: [], temporal: [], ...wrong[prompt], ...change } },
          }));
        };

        /** All of those that have none, at once: it is a matter of milliseconds for each. */
        function writeByRules(prompts: readonly string[], seed: number): void {
          const count = PERTURBATIONS_PER_PROMPT;
          const made = prompts.flatMap((prompt, index) => {
            if (get().wrong[prompt]) return [];
            const { sequence } = tagPrompt(prompt);
            const captions: WrongCaptions = {
              perturbed: perturbCaption(prompt, count, seedOf(seed, index, 0)),
              temporal: sequence ? perturbOrder(prompt, count, seedOf(seed, index, 1)) : [],
            };
            return [[prompt, captions] as const];
          });
          set(({ wrong }) => ({ wrong: { ...wrong, ...Object.fromEntries(made) } }));
        }

        return {
          text: '',
          wrong: {},
          endpoint: { baseUrl: '', model: '' },
          apiKey: '',
          clusters: null,
          before: null,
          work: null,
          failure: null,
          setText: (text) => set({ text, clusters: null, before: null }),
          setEndpoint: ({ apiKey, ...change }) =>
            set(({ endpoint }) => ({
              endpoint: { ...endpoint, ...change },
              ...(apiKey === undefined ? {} : { apiKey }),
            })),
          cluster: (prompts, settings, embeddings) =>
            run({ stage: 'embed', index: 0, count: prompts.length }, async (signal) => {
              const clusters = await preferences.clusterPrompts(
                { prompts, ...settings, ...(embeddings === undefined ? {} : { embeddings }) },
                {
                  signal,
                  onProgress: ({ stage, index, count, remainingSeconds }) => {
                    if (stage !== 'embed' && stage !== 'cluster') return;
                    set({ work: { stage, index, count, remainingSeconds } });
                  },
                },
              );
              set({ clusters: { ...clusters, prompts } });
            }),
          keepPicked: () => {
            const { clusters, text } = get();
            if (!clusters) return;
            const picked = clusters.picked.map((place) => clusters.prompts[place]!);
            set({ text: picked.join('\n'), before: text, clusters: null });
          },
          undoPicked: () =>
            set(({ before, text }) => ({ text: before ?? text, before: null, clusters: null })),
          write: (prompts, by, seed) =>
            run({ stage: 'write', index: 0, count: prompts.length }, async (signal) => {
              if (by === 'rules') {
                writeByRules(prompts, seed);
                return;
              }
              for (const [index, prompt] of prompts.entries()) {
                set({ work: { stage: 'write', index, count: prompts.length } });
                const { sequence } = tagPrompt(prompt);
                const has = get().wrong[prompt];
                const endpoint = { ...get().endpoint, apiKey: get().apiKey };
                // Each answer is kept as it comes: what fails later loses none of them.
                if (!has?.perturbed.length) {
                  put(prompt, {
                    perturbed: await askForWrongCaptions(endpoint, prompt, 'perturbed', { signal }),
                  });
                }
                if (sequence && !has?.temporal.length) {
                  put(prompt, {
                    temporal: await askForWrongCaptions(endpoint, prompt, 'temporal', { signal }),
                  });
                }
              }
            }),
          edit: (prompt, kind, captions) => put(prompt, { [kind]: captions }),
          clearWrong: () => set({ wrong: {} }),
          stop: () => abort?.abort(),
        };
      },
      {
        name: 'tango-studio:prompt-pool',
        version: 1,
        storage: whenChanged(storage),
        partialize: ({ text, wrong, endpoint }) => ({ text, wrong, endpoint }),
      },
    ),
  );
}
