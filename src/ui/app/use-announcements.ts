import { useEffect } from 'react';
import type { GenerationState } from '../stores/generation-store';
import { useStudio } from '../stores/studio-context';

/** What changed that a screen reader should say; null for steps too small to speak of. */
export function announcementOf(now: GenerationState, before: GenerationState): string | null {
  const [newest] = now.generations;
  const id = now.runningId ?? before.runningId ?? newest?.id;
  const one = now.generations.find((generation) => generation.id === id);
  const old = before.generations.find((generation) => generation.id === id);
  if (!one) return null;
  if (one.status !== old?.status) {
    const count = one.takes.length;
    const kept = `${count} ${count === 1 ? 'take' : 'takes'}`;
    // A failure is an alert of its own.
    return {
      running: `Generating ${one.request.prompt}`,
      done: `Finished: ${kept}. Press Space to play.`,
      cancelled: `Cancelled; ${kept} kept.`,
      failed: null,
    }[one.status];
  }
  if (one.takes.length > (old?.takes.length ?? 0))
    return `Take ${one.takes.length} of ${one.request.count} is finished.`;
  const quarter = Math.floor((one.progress?.fraction ?? 0) * 4);
  const oldQuarter = Math.floor((old?.progress?.fraction ?? 0) * 4);
  return quarter > oldQuarter && quarter < 4 ? `${quarter * 25} percent` : null;
}

export function useAnnouncements(): void {
  const { generations, view } = useStudio();
  useEffect(
    () =>
      generations.subscribe((now, before) => {
        const text = announcementOf(now, before);
        if (text !== null) view.getState().announce(text);
      }),
    [generations, view],
  );
}
