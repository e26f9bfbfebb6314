import { useStore } from 'zustand';
import type { PoolState } from '../../stores/pool-store';
import type { PreferenceState } from '../../stores/preference-store';
import { useStudio } from '../../stores/studio-context';

export function usePool<T>(select: (state: PoolState) => T): T {
  return useStore(useStudio().pool, select);
}

export function usePreferences<T>(select: (state: PreferenceState) => T): T {
  return useStore(useStudio().preferences, select);
}
