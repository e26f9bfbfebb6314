import { JobCancelledError } from '../common/errors';
import type { EngineInfo, ModelSummary } from '../engine/protocol';
import type { Benchmark, BenchmarkStageName } from '../engine/protocol-benchmark';

/** Milliseconds and GFLOP. */
const STAGES: readonly (readonly [BenchmarkStageName, number, number])[] = [
  ['encode-text', 4, 0.8],
  ['denoise', 20, 2.7],
  ['decode', 12, 9],
  ['vocode', 15, 11],
];

/** Measures at once, with the same figures each time; the adapter "ampere" has a prediction. */
export function fakeBenchmark(
  info: () => EngineInfo,
  pause: () => Promise<void>,
  model: ModelSummary,
): Benchmark {
  return async ({ runs = 3, durationSeconds = 5.12 } = {}, { onProgress, signal } = {}) => {
    for (const [index, [stage]] of STAGES.entries()) {
      for (let runIndex = 0; runIndex <= runs; runIndex += 1) {
        onProgress?.({ stage, runIndex, runCount: runs, fraction: (index + runIndex / (runs + 1)) / 4 });
        await pause();
        if (signal?.aborted) throw new JobCancelledError('The job was cancelled.');
      }
    }
    const { backend, adapter, features, wasm, memory, versions } = info();
    return {
      modelId: model.id,
      modelName: model.name,
      ...{ backend, adapter, features, wasm, memory, versions, durationSeconds, runs },
      stages: STAGES.map(([stage, milliseconds, gigaflop]) => ({
        stage,
        medianMilliseconds: milliseconds,
        milliseconds: Array.from({ length: runs }, () => milliseconds),
        gigaflop,
        gigaflopPerSecond: (1000 * gigaflop) / milliseconds,
        dispatches: backend === 'webgpu' ? 120 : null,
        predictions:
          adapter?.architecture === 'ampere'
            ? [{ gpu: 'GeForce RTX 3060', milliseconds: milliseconds / 2 }]
            : [],
      })),
    };
  };
}
