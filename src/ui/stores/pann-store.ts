import { createStore } from 'zustand/vanilla';
import type { StudioEngine } from '../../engine/protocol';
import type { PannModelSummary, PannTag } from '../../engine/protocol-panns';
import { type Failure, toFailure } from './failure';
import { type HelperModelsState, helperModels } from './helper-models';

/** A sound that PANNs are asked about; the same key is the same sound. */
export interface HeardSound {
  readonly key: string;
  /** Mono, −1…1. */
  readonly audio: Float32Array;
  readonly sampleRateHz: number;
}

/** What PANNs said of a sound, the likeliest first. */
export interface HeardTags {
  readonly modelName: string;
  readonly tags: readonly PannTag[];
}

export interface PannState extends HelperModelsState<PannModelSummary> {
  /** By the sounds' keys. */
  readonly heard: Readonly<Record<string, HeardTags>>;
  /** Sounds that wait for their turn, or are being heard. */
  readonly waiting: ReadonlySet<string>;
  /** Why a sound was not heard, by its key. */
  readonly failures: Readonly<Record<string, Failure>>;
  /** Asks the first of the models, one sound after the other; does nothing where there is no model. */
  hear(sounds: readonly HeardSound[]): Promise<void>;
  /** Ends what `hear` was asked of these sounds. */
  cancel(keys: readonly string[]): void;
}

/** What PANNs hear in takes and pairs, asked for by a person. */
export function createPannStore({ panns }: Pick<StudioEngine, 'panns'>) {
  const aborts = new Map<string, AbortController>();

  return createStore<PannState>()((set, get) => {
    async function hearOne(
      { key, audio, sampleRateHz }: HeardSound,
      { id, name }: PannModelSummary,
      signal: AbortSignal,
    ): Promise<void> {
      try {
        const tags = await panns.tag({ audio, sampleRateHz, modelId: id }, { signal });
        set(({ heard }) => ({ heard: { ...heard, [key]: { modelName: name, tags } } }));
      } catch (error) {
        const failure = toFailure(error);
        if (failure.code !== 'cancelled')
          set(({ failures }) => ({ failures: { ...failures, [key]: failure } }));
      }
    }

    return {
      ...helperModels(panns, set, get),
      heard: {},
      waiting: new Set(),
      failures: {},
      hear: async (sounds) => {
        const wanted = sounds.filter(({ key }) => !get().heard[key] && !get().waiting.has(key));
        const abort = new AbortController();
        for (const { key } of wanted) aborts.set(key, abort);
        set(({ waiting, failures }) => ({
          failure: null,
          failures: without(
            failures,
            wanted.map(({ key }) => key),
          ),
          waiting: new Set([...waiting, ...wanted.map(({ key }) => key)]),
        }));
        await get().refresh();
        const model = get().models?.[0];
        for (const sound of wanted) {
          if (model && !abort.signal.aborted) await hearOne(sound, model, abort.signal);
          aborts.delete(sound.key);
          set(({ waiting }) => ({ waiting: new Set([...waiting].filter((key) => key !== sound.key)) }));
        }
      },
      cancel: (keys) => {
        for (const key of keys) aborts.get(key)?.abort();
      },
    };
  });
}

function without(failures: PannState['failures'], keys: readonly string[]): PannState['failures'] {
  return Object.fromEntries(Object.entries(failures).filter(([key]) => !keys.includes(key)));
}
