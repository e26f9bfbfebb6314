import { createJSONStorage, persist, type StateStorage } from 'zustand/middleware';
import { createStore } from 'zustand/vanilla';

export type Theme = 'system' | 'dark' | 'light';

export interface AppearanceState {
  readonly theme: Theme;
  /** Shortcuts of one key without Ctrl or ⌘; people who dictate or press keys by accident turn them off. */
  readonly singleKeyShortcuts: boolean;
  setTheme(theme: Theme): void;
  setSingleKeyShortcuts(on: boolean): void;
}

/** The name is read by public/theme.js too, before the first paint. */
export function createAppearanceStore(storage: StateStorage) {
  return createStore<AppearanceState>()(
    persist(
      (set) => ({
        theme: 'system',
        singleKeyShortcuts: true,
        setTheme: (theme) => set({ theme }),
        setSingleKeyShortcuts: (singleKeyShortcuts) => set({ singleKeyShortcuts }),
      }),
      {
        name: 'tango-studio:appearance',
        version: 1,
        storage: createJSONStorage(() => storage),
        partialize: ({ theme, singleKeyShortcuts }) => ({ theme, singleKeyShortcuts }),
      },
    ),
  );
}
