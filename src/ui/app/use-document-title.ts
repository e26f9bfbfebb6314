import { useEffect } from 'react';
import { percent } from '../panels/generate/progress-text';
import { useGenerations } from '../stores/studio-context';

const NAME = 'Tango Studio';

/** The tab shows how far a generation is, for those who look elsewhere meanwhile. */
export function useDocumentTitle(): void {
  const title = useGenerations(({ generations, runningId }) => {
    const running = generations.find(({ id }) => id === runningId);
    if (!running) return NAME;
    return `${percent(running.progress?.fraction ?? 0)} – ${running.request.prompt.slice(0, 60)} – ${NAME}`;
  });
  useEffect(() => {
    document.title = title;
  }, [title]);
}
