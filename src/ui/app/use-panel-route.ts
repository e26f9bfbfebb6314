import { useEffect } from 'react';
import { useStudio } from '../stores/studio-context';
import { panelOfHash } from './panels';

/** Keeps the panel and the address's hash together: links, bookmarks and the back button show a panel. */
export function usePanelRoute(): void {
  const { view } = useStudio();
  useEffect(() => {
    const followHash = (): void => {
      const panel = panelOfHash(location.hash);
      // The plain address is the first panel; a hash that names none leaves the page as it is.
      if (panel ?? location.hash === '') view.getState().showPanel(panel ?? 'generate');
    };
    if (panelOfHash(location.hash)) followHash();
    window.addEventListener('hashchange', followHash);
    const unsubscribe = view.subscribe(({ panel }, before) => {
      if (panel === before.panel) return;
      if ((panelOfHash(location.hash) ?? 'generate') !== panel) location.hash = panel;
      window.scrollTo(0, 0);
    });
    return () => {
      window.removeEventListener('hashchange', followHash);
      unsubscribe();
    };
  }, [view]);
}
