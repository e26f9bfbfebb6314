import { createJSONStorage, persist, type StateStorage } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';
import type { AdapterUse, SchedulerName } from '../../engine/protocol';
import { GENERATE_DEFAULTS, SCHEDULER_NAMES } from '../../engine/protocol-limits';
import { randomSeed } from './seed';

/** What the next generation is made with. A number is NaN while its field holds no number. */
export interface GenerateSettings {
  readonly prompt: string;
  readonly negativePrompt: string;
  readonly durationSeconds: number;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly scheduler: SchedulerName;
  readonly seed: number;
  /** A locked seed stays as it is; an unlocked one is drawn anew for each generation. */
  readonly seedLocked: boolean;
  readonly takeCount: number;
  /** Runs and imported adapters; none: the model as it is. */
  readonly adapters: readonly AdapterUse[];
}

export interface SettingsState extends GenerateSettings {
  set(change: Partial<GenerateSettings>): void;
  rerollSeed(): void;
}

/** The engine's own defaults, except the prompt: there is none until the person writes one. */
export const defaultSettings: GenerateSettings = {
  prompt: '',
  negativePrompt: GENERATE_DEFAULTS.negativePrompt,
  durationSeconds: GENERATE_DEFAULTS.durationSeconds,
  steps: GENERATE_DEFAULTS.steps,
  guidanceScale: GENERATE_DEFAULTS.guidanceScale,
  scheduler: GENERATE_DEFAULTS.scheduler,
  seed: 0,
  seedLocked: false,
  takeCount: GENERATE_DEFAULTS.count,
  adapters: [],
};

function isAdapterUse(value: unknown): value is AdapterUse {
  if (typeof value !== 'object' || value === null || !('id' in value) || !('strength' in value)) return false;
  return typeof value.id === 'string' && typeof value.strength === 'number';
}

/** Settings of the last visit; what is missing or is not what it should be falls back to the default. */
function restoreSettings(saved: unknown): Partial<GenerateSettings> {
  if (typeof saved !== 'object' || saved === null) return {};
  const entries = Object.entries(saved).filter(([key, value]) => {
    if (key === 'scheduler') return SCHEDULER_NAMES.some((name) => name === value);
    if (key === 'adapters') return Array.isArray(value) && value.every(isAdapterUse);
    return key in defaultSettings && typeof value === typeof defaultSettings[key as keyof GenerateSettings];
  });
  return Object.fromEntries(entries);
}

export function createSettingsStore(storage: StateStorage) {
  return createStore<SettingsState>()(
    persist(
      (set) => ({
        ...defaultSettings,
        seed: randomSeed(),
        set: (change) => set(change),
        rerollSeed: () => set({ seed: randomSeed() }),
      }),
      {
        name: 'tango-studio:settings',
        version: 1,
        storage: createJSONStorage(() => storage),
        partialize: ({ set: _set, rerollSeed: _reroll, ...settings }) => settings,
        merge: (saved, current) => ({ ...current, ...restoreSettings(saved) }),
      },
    ),
  );
}
