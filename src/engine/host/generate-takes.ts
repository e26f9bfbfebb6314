import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { BackendName, GenerateProgress, ResolvedGenerateRequest, Sound, TensorData } from '../protocol';
import type { AdapterLineage } from '../protocol-training';
import { type CostedStage, ProgressEstimate, type StageSpeeds } from './progress-estimate';

export interface TakesJob {
  readonly pipeline: TangoPipeline;
  readonly request: ResolvedGenerateRequest;
  /** Of the request's adapters. */
  readonly lineage: readonly AdapterLineage[];
  /** Of the model. */
  readonly modelLineage: AdapterLineage | undefined;
  /** Starting noise for every take, instead of the seeds'. */
  readonly latents: TensorData | undefined;
  readonly returnStages: boolean;
  readonly backend: BackendName;
  readonly speeds: StageSpeeds;
  readonly onProgress: ((progress: GenerateProgress) => void) | undefined;
  readonly signal: AbortSignal;
}

/**
 * Makes the takes of a request one after another; each is handed to `onProgress` as soon as it is done.
 * @throws all that `TangoPipeline.run` throws; takes that were done have been handed over by then
 */
export async function generateTakes(job: TakesJob): Promise<readonly Sound[]> {
  const { request } = job;
  const estimate = new ProgressEstimate(job.speeds, request.durationSeconds, request.count, now);
  const sounds: Sound[] = [];
  for (let takeIndex = 0; takeIndex < request.count; takeIndex++) {
    sounds.push(await generateTake(job, takeIndex, estimate));
  }
  return sounds;
}

async function generateTake(job: TakesJob, takeIndex: number, estimate: ProgressEstimate): Promise<Sound> {
  const { pipeline, request, latents, returnStages, onProgress, signal } = job;
  const { count: takeCount, steps: stepCount } = request;
  const seed = (request.seed + takeIndex) % 2 ** 32;
  const start = now();
  let underWay: CostedStage | null = null;
  let stepsDone = 0;

  function report(extra: Pick<GenerateProgress, 'preview'>): void {
    if (underWay === null) return;
    const stage = underWay;
    const done = estimate.at(takeIndex, stage, stepsDone, stepCount);
    onProgress?.({ stage, takeIndex, takeCount, stepIndex: stepsDone, stepCount, ...done, ...extra });
  }

  estimate.begin();
  const output = await pipeline.run(
    { ...request, seed, latents, returnStages },
    {
      signal,
      onStage(stage, stepIndex) {
        if (underWay !== null) estimate.finished(underWay);
        underWay = stage;
        stepsDone = stepIndex;
        report({});
      },
      onPreview: (preview) => report({ preview }),
    },
  );
  estimate.finished('vocode');
  const sound: Sound = {
    id: crypto.randomUUID(),
    audio: output.audio,
    sampleRateHz: pipeline.sampleRateHz,
    seed,
    takeIndex,
    parameters: { ...request, seed, count: 1 },
    ...(job.lineage.length > 0 ? { lineage: job.lineage } : {}),
    ...(job.modelLineage ? { modelLineage: job.modelLineage } : {}),
    truncated: output.truncated,
    melSpectrogram: output.mel,
    backend: job.backend,
    elapsedSeconds: now() - start,
    ...(output.stages ? { stages: output.stages } : {}),
  };
  const done = estimate.at(takeIndex + 1, 'encode-text', 0, stepCount);
  onProgress?.({ stage: 'done', takeIndex, takeCount, stepIndex: stepCount, stepCount, ...done, sound });
  return sound;
}

/** Seconds on a clock that only goes forward. */
function now(): number {
  return performance.now() / 1000;
}
