/** Measuring the user's machine: types only. */
import type { JobOptions } from './protocol-jobs';

export interface BenchmarkRequest {
  /** Measured runs of each stage, after one that warms up: 1…50; default 3. */
  readonly runs?: number;
  /** Seconds of sound, within the model's bounds; default 5.12. */
  readonly durationSeconds?: number;
}

/** The stages of a generation; `denoise` is one UNet pass over a batch of two, as guidance needs. */
export type BenchmarkStageName = 'encode-text' | 'denoise' | 'decode' | 'vocode';

/** What a stage should take on a GPU of docs/performance.md that the adapter is, or may be. */
export interface BenchmarkPrediction {
  readonly gpu: string;
  readonly milliseconds: number;
}

export interface BenchmarkStage {
  readonly stage: BenchmarkStageName;
  /** The median of `milliseconds`, input uploaded and result read back. */
  readonly medianMilliseconds: number;
  readonly milliseconds: readonly number[];
  /** Products and sums of linear layers, convolutions and attention, in 10^9. */
  readonly gigaflop: number;
  readonly gigaflopPerSecond: number;
  /** Programs that the stage starts on the GPU; null on wasm. */
  readonly dispatches: number | null;
  /** Empty on wasm, and for an adapter that the table does not have. */
  readonly predictions: readonly BenchmarkPrediction[];
}

export interface BenchmarkResult {
  readonly modelId: string;
  readonly modelName: string;
  readonly backend: 'webgpu' | 'wasm';
  readonly adapter: { vendor: string; architecture: string; description: string } | null;
  readonly features: readonly string[];
  readonly wasm: { simd: boolean; threads: number };
  readonly durationSeconds: number;
  readonly runs: number;
  readonly stages: readonly BenchmarkStage[];
  readonly memory: { gpuBytes: number; gpuBytesPeak: number; wasmHeapBytes: number };
  readonly versions: { studio: string; tfjs: string };
}

export interface BenchmarkProgress {
  readonly stage: BenchmarkStageName;
  /** 0 is the run that warms up. */
  readonly runIndex: number;
  /** Measured runs. */
  readonly runCount: number;
  /** 0…1 of the runs of all stages. */
  readonly fraction: number;
}

/** Measures the stages of the model in use on the current backend. Cancelled between runs. */
export type Benchmark = (
  request?: BenchmarkRequest,
  options?: JobOptions<BenchmarkProgress>,
) => Promise<BenchmarkResult>;
