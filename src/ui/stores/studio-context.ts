import { createContext, useContext } from 'react';
import { useStore } from 'zustand';
import type { AppearanceState } from './appearance-store';
import type { BenchmarkState } from './benchmark-store';
import type { ClapState } from './clap-store';
import type { EngineState } from './engine-store';
import type { FineTuneState } from './fine-tune-store';
import type { GenerationState } from './generation-store';
import type { HubState } from './hub-store';
import type { ModelState } from './model-store';
import type { PannState } from './pann-store';
import type { PlayerState } from './player-store';
import type { SentenceState } from './sentence-store';
import type { SettingsState } from './settings-store';
import type { Studio } from './studio';
import type { ViewState } from './view-store';

export const StudioContext = createContext<Studio | null>(null);

export function useStudio(): Studio {
  const studio = useContext(StudioContext);
  if (!studio) throw new Error('Components of the studio need a <StudioContext value={studio}> above them.');
  return studio;
}

export function useSettings<T>(select: (state: SettingsState) => T): T {
  return useStore(useStudio().settings, select);
}

export function useGenerations<T>(select: (state: GenerationState) => T): T {
  return useStore(useStudio().generations, select);
}

export function useEngine<T>(select: (state: EngineState) => T): T {
  return useStore(useStudio().engine, select);
}

export function useBenchmark<T>(select: (state: BenchmarkState) => T): T {
  return useStore(useStudio().benchmark, select);
}

export function useModels<T>(select: (state: ModelState) => T): T {
  return useStore(useStudio().models, select);
}

export function useHub<T>(select: (state: HubState) => T): T {
  return useStore(useStudio().hub, select);
}

export function usePlayer<T>(select: (state: PlayerState) => T): T {
  return useStore(useStudio().player, select);
}

export function useAppearance<T>(select: (state: AppearanceState) => T): T {
  return useStore(useStudio().appearance, select);
}

export function useView<T>(select: (state: ViewState) => T): T {
  return useStore(useStudio().view, select);
}

export function useFineTune<T>(select: (state: FineTuneState) => T): T {
  return useStore(useStudio().fineTune, select);
}

export function usePanns<T>(select: (state: PannState) => T): T {
  return useStore(useStudio().panns, select);
}

export function useSentences<T>(select: (state: SentenceState) => T): T {
  return useStore(useStudio().sentences, select);
}

export function useClap<T>(select: (state: ClapState) => T): T {
  return useStore(useStudio().clap, select);
}
