import type { StoreApi } from 'zustand';
import type { FineTuneState } from './fine-tune-store';

/** While a run is trained: keeps the screen on as long as the tab is seen, and tells the store when it is not. */
export function keepAwake(fineTune: StoreApi<FineTuneState>): () => void {
  let lock: Promise<WakeLockSentinel | null> | null = null;

  function update(): void {
    const wanted = fineTune.getState().progress !== null && document.visibilityState === 'visible';
    if (wanted && !lock) {
      // Refused with a low battery, for example: training goes on without it.
      lock = navigator.wakeLock?.request('screen').catch(() => null) ?? null;
    } else if (!wanted && lock) {
      void lock.then((sentinel) => sentinel?.release());
      lock = null;
    }
  }

  function onVisibility(): void {
    fineTune.getState().setHidden(document.visibilityState === 'hidden');
    update();
  }

  document.addEventListener('visibilitychange', onVisibility);
  const unsubscribe = fineTune.subscribe(update);
  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    unsubscribe();
    void lock?.then((sentinel) => sentinel?.release());
  };
}
