import { createJSONStorage, persist, type StateStorage } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';
import type { EngineClient } from '../../engine/client/engine-client';
import type { BackendChoice } from '../../engine/protocol';
import { createAppearanceStore } from './appearance-store';
import { createBenchmarkStore } from './benchmark-store';
import { createClapStore } from './clap-store';
import { createEngineStore } from './engine-store';
import { createFineTuneStore, type PairSource } from './fine-tune-store';
import { createGenerationStore } from './generation-store';
import { createHubStore } from './hub-store';
import { keepAwake } from './keep-awake';
import { createModelStore } from './model-store';
import { createPannStore } from './pann-store';
import { createPlayerStore, type SoundOutput } from './player-store';
import { createPoolStore } from './pool-store';
import { createPreferenceStore } from './preference-store';
import { createSentenceStore } from './sentence-store';
import { createSettingsStore } from './settings-store';
import { createViewStore } from './view-store';

/** What the page remembers about the engine between visits. */
interface EngineMemory {
  readonly backend: BackendChoice;
  readonly modelId: string | null;
}

export function createEngineMemory(storage: StateStorage) {
  return createStore<EngineMemory>()(
    persist<EngineMemory>(() => ({ backend: 'auto', modelId: null }), {
      name: 'tango-studio:engine',
      version: 1,
      storage: createJSONStorage(() => storage),
    }),
  );
}

export interface StudioOptions {
  readonly storage: StateStorage;
  readonly output: SoundOutput;
  readonly eachFrame: (tick: () => void) => () => void;
  readonly memory?: ReturnType<typeof createEngineMemory>;
  /** The datasets that runs are made from; the engine's preference datasets by default. */
  readonly pairs?: PairSource;
}

/** Every store of the page around one engine client. `connect` begins to follow the engine. */
export function createStudio(client: EngineClient, options: StudioOptions) {
  const { storage, output, eachFrame, memory = createEngineMemory(storage) } = options;
  const { preferences } = client;
  const pairs = options.pairs ?? {
    list: async () =>
      (await preferences.datasets()).map(({ id, name, settings }) => ({
        id,
        name,
        durationSeconds: settings?.durationSeconds ?? null,
      })),
    pairs: (id) => preferences.pairs(id),
  };
  const engine = createEngineStore(client, (backend) => memory.setState({ backend }));
  const settings = createSettingsStore(storage);
  const fineTune = createFineTuneStore(client, pairs);
  const clap = createClapStore(client);
  const panns = createPannStore(client);
  const sentences = createSentenceStore(client);
  const models = createModelStore(client, {
    lastModelId: () => memory.getState().modelId,
    onUsed: (modelId) => memory.setState({ modelId }),
    onAdapter: ({ id }) => {
      settings.getState().set({ adapters: [{ id, strength: 1 }] });
      void fineTune.getState().refresh();
    },
    onClap: () => void clap.getState().refresh(),
    onPann: () => void panns.getState().refresh(),
    onSentenceModel: () => void sentences.getState().refresh(),
  });
  const generations = createGenerationStore(
    client,
    () => void engine.getState().refresh(),
    (sound) => void clap.getState().score(sound),
  );

  // The model can change without the page's doing: a script, a restarted engine.
  engine.subscribe(({ info }, before) => {
    if (info !== before.info && models.getState().job === null)
      models.setState({ current: info?.model ?? null });
  });

  /** After a start or a restart: read the engine's facts, then load the model unless one is there. */
  async function follow(): Promise<void> {
    await engine.getState().refresh();
    await models.getState().open(engine.getState().info?.model ?? null);
    await engine.getState().refresh();
  }

  return {
    appearance: createAppearanceStore(storage),
    benchmark: createBenchmarkStore(client),
    client,
    clap,
    engine,
    fineTune,
    generations,
    hub: createHubStore(client, async () => {
      await models.getState().refresh();
      await clap.getState().refresh();
      await panns.getState().refresh();
      await sentences.getState().refresh();
    }),
    models,
    panns,
    player: createPlayerStore(output, eachFrame),
    pool: createPoolStore(client, storage),
    preferences: createPreferenceStore(client),
    sentences,
    settings,
    view: createViewStore(),
    connect(): () => void {
      if (client.status.state === 'ready') void follow();
      const sleep = keepAwake(fineTune);
      const unsubscribe = client.subscribe((status) => {
        engine.setState({ status });
        if (status.state === 'ready') void follow();
      });
      return () => {
        sleep();
        unsubscribe();
      };
    },
  };
}

export type Studio = ReturnType<typeof createStudio>;
