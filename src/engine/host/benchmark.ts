import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { JobCancelledError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import { countFlops } from '../../gpu/planning/count-flops';
import { type Counts, recordPrograms } from '../../gpu/planning/recorder';
import { type KnownGpu, knownGpusOf, predictMilliseconds } from '../../gpu/planning/roofline';
import type { TensorData } from '../protocol';
import type {
  BenchmarkProgress,
  BenchmarkResult,
  BenchmarkStage,
  BenchmarkStageName,
} from '../protocol-benchmark';

/** A usual prompt's length; the text encoder's time hardly depends on it. */
const PROMPT = 'a dog barks and then a telephone rings';
const TIMESTEP = 500;

export interface BenchmarkJob {
  readonly pipeline: TangoPipeline;
  readonly durationSeconds: number;
  readonly runs: number;
  readonly backend: BenchmarkResult['backend'];
  readonly adapter: BenchmarkResult['adapter'];
  readonly onProgress?: ((progress: BenchmarkProgress) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * Each stage once to warm up and count, then `runs` times against the clock.
 *
 * @throws JobCancelledError between runs
 */
export async function benchmarkStages(job: BenchmarkJob): Promise<readonly BenchmarkStage[]> {
  const { pipeline, runs, onProgress, signal } = job;
  const gpus = job.adapter && job.backend === 'webgpu' ? knownGpusOf(job.adapter) : [];
  const stages = stagesOfAClip(pipeline, job.durationSeconds);
  const results: BenchmarkStage[] = [];
  for (const [index, { stage, run }] of stages.entries()) {
    const report = async (runIndex: number): Promise<void> => {
      const fraction = (index + runIndex / (runs + 1)) / stages.length;
      onProgress?.({ stage, runIndex, runCount: runs, fraction });
      // Lets messages in: a cancellation is one.
      await new Promise((resolve) => setTimeout(resolve));
      if (signal.aborted) throw new JobCancelledError('The job was cancelled.');
    };
    await report(0);
    const counted = await countedRun(run, job.backend);
    const milliseconds: number[] = [];
    for (let runIndex = 1; runIndex <= runs; runIndex += 1) {
      await report(runIndex);
      const started = performance.now();
      await run();
      milliseconds.push(performance.now() - started);
    }
    results.push(summary(stage, milliseconds, counted, gpus));
  }
  return results;
}

/** The stages of one guided clip, each on what the one before it gives. */
function stagesOfAClip(
  pipeline: TangoPipeline,
  durationSeconds: number,
): readonly { readonly stage: BenchmarkStageName; readonly run: () => Promise<void> }[] {
  const [, channels, height, width] = pipeline.clipSize(durationSeconds).latentShape;
  const size = channels * height * width;
  const noise = new TorchGenerator(0).randn(2 * size);
  const latents: TensorData = { data: noise.slice(0, size), shape: [1, channels, height, width] };
  let text: Awaited<ReturnType<TangoPipeline['encodeText']>>;
  let mel: TensorData;
  return [
    {
      stage: 'encode-text',
      run: async () => {
        text = await pipeline.encodeText(['', PROMPT]);
      },
    },
    {
      stage: 'denoise',
      run: async () => {
        await pipeline.predict({
          sample: { data: noise, shape: [2, channels, height, width] },
          timestep: TIMESTEP,
          textStates: text.states,
          textMask: text.mask,
          textStates1: text.states1,
          textMask1: text.mask1,
        });
      },
    },
    {
      stage: 'decode',
      run: async () => {
        mel = await pipeline.decode(latents);
      },
    },
    {
      stage: 'vocode',
      run: async () => {
        await pipeline.vocode(mel);
      },
    },
  ];
}

interface CountedRun {
  readonly flops: number;
  /** Null on wasm. */
  readonly programs: Counts | null;
}

async function countedRun(
  run: () => Promise<void>,
  backend: BenchmarkResult['backend'],
): Promise<CountedRun> {
  const flops = countFlops();
  const programs = backend === 'webgpu' ? recordPrograms(tf.backend() as WebGPUBackend) : null;
  let counts: Counts | null = null;
  let total = 0;
  try {
    await run();
  } finally {
    total = flops.stop();
    counts = programs?.stop() ?? null;
  }
  return { flops: total, programs: counts };
}

function summary(
  stage: BenchmarkStageName,
  milliseconds: readonly number[],
  { flops, programs }: CountedRun,
  gpus: readonly KnownGpu[],
): BenchmarkStage {
  const medianMilliseconds = [...milliseconds].sort((a, b) => a - b)[Math.floor(milliseconds.length / 2)]!;
  return {
    stage,
    medianMilliseconds,
    milliseconds,
    gigaflop: flops / 1e9,
    gigaflopPerSecond: flops / 1e6 / medianMilliseconds,
    dispatches: programs?.dispatches ?? null,
    predictions: programs
      ? gpus.map((gpu) => ({ gpu: gpu.name, milliseconds: predictMilliseconds(programs, gpu) }))
      : [],
  };
}
