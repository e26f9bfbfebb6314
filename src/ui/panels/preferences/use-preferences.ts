import { useStore } from 'zustand';
import type { PreferenceState } from '../../stores/preference-store';
import { useStudio } from '../../stores/studio-context';

export function usePreferences<T>(select: (state: PreferenceState) => T): T {
  return useStore(useStudio().preferences, select);
}
