import { createStore } from 'zustand/vanilla';
import type { EngineClient } from '../../engine/client/engine-client';
import type { BenchmarkProgress, BenchmarkResult } from '../../engine/protocol-benchmark';
import { type Failure, toFailure } from './failure';

export interface BenchmarkState {
  /** Whether it is being measured; the progress is null until the first report. */
  readonly running: boolean;
  readonly progress: BenchmarkProgress | null;
  /** The last measurement of this visit. */
  readonly result: BenchmarkResult | null;
  readonly failure: Failure | null;
  start(): Promise<void>;
  cancel(): void;
}

export function createBenchmarkStore(client: Pick<EngineClient, 'benchmark'>) {
  let controller: AbortController | null = null;
  return createStore<BenchmarkState>()((set, get) => ({
    running: false,
    progress: null,
    result: null,
    failure: null,
    start: async () => {
      if (get().running) return;
      controller = new AbortController();
      set({ running: true, progress: null, failure: null });
      try {
        const { signal } = controller;
        set({ result: await client.benchmark({}, { signal, onProgress: (progress) => set({ progress }) }) });
      } catch (error) {
        const failure = toFailure(error);
        if (failure.code !== 'cancelled') set({ failure });
      } finally {
        controller = null;
        set({ running: false, progress: null });
      }
    },
    cancel: () => controller?.abort(),
  }));
}
