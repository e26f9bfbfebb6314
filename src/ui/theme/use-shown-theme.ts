import { useEffect, useSyncExternalStore } from 'react';
import { useAppearance } from '../stores/studio-context';

const prefersLight = '(prefers-color-scheme: light)';

function subscribe(listener: () => void): () => void {
  const query = matchMedia(prefersLight);
  query.addEventListener('change', listener);
  return () => query.removeEventListener('change', listener);
}

/** The theme on the screen: the chosen one, else the system's. */
export function useShownTheme(): 'dark' | 'light' {
  const theme = useAppearance((state) => state.theme);
  const system = useSyncExternalStore(subscribe, () => (matchMedia(prefersLight).matches ? 'light' : 'dark'));
  return theme === 'system' ? system : theme;
}

/** Puts the chosen theme on the document, where the tokens look for it. */
export function useThemeOnDocument(): void {
  const theme = useAppearance((state) => state.theme);
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
  }, [theme]);
}
