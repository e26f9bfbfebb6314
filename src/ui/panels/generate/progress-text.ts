import type { GenerateProgress } from '../../../engine/protocol';

const stages: Record<GenerateProgress['stage'], string> = {
  queued: 'Waiting for the engine',
  'load-model': 'Loading the model',
  'encode-text': 'Reading the prompt',
  denoise: 'Denoising',
  decode: 'Decoding',
  vocode: 'Rendering the sound',
  done: 'Done',
};

/** "Take 2 of 4 · step 7 of 20". */
export function stageText(progress: GenerateProgress | null): string {
  if (!progress) return stages.queued;
  const { stage, takeIndex, takeCount, stepIndex, stepCount } = progress;
  const what =
    stage === 'denoise' ? `Step ${Math.min(stepIndex + 1, stepCount)} of ${stepCount}` : stages[stage];
  return takeCount > 1 ? `Take ${takeIndex + 1} of ${takeCount} · ${what}` : what;
}

export function percent(fraction: number): string {
  return `${Math.round(fraction * 100)} %`;
}

/** "12 s left", rounded as coarsely as the estimate is; empty while there is none. */
export function timeLeftText(progress: GenerateProgress | null): string {
  const seconds = progress?.remainingSeconds ?? null;
  if (seconds === null) return '';
  if (seconds < 1.5) return '1 s left';
  if (seconds < 60) return `${Math.round(seconds)} s left`;
  return seconds < 3600 ? `${Math.round(seconds / 60)} min left` : `${(seconds / 3600).toFixed(1)} h left`;
}
