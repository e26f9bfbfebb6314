import type { Generation } from '../../stores/generation-store';
import { schedulerNames } from './scheduler-names';

/** One line: "5.12 s · 20 steps · guidance 3 · DPM-Solver++ · seed 42", and the model where there are several. */
export function parameterSummary({ request }: Generation, modelName?: string): string {
  const { durationSeconds, steps, guidanceScale, scheduler, seed } = request;
  return [
    `${durationSeconds} s`,
    `${steps} ${steps === 1 ? 'step' : 'steps'}`,
    `guidance ${guidanceScale}`,
    schedulerNames[scheduler],
    `seed ${seed}`,
    ...(modelName === undefined ? [] : [modelName]),
  ].join(' · ');
}

/** The complete record as JSON, in the names that `window.studio.generate` takes. */
export function parameterRecord({ request }: Generation): string {
  return JSON.stringify(request, null, 2);
}
