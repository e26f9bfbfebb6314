import { JobCancelledError } from '../../common/errors';
import type { UNet2DConditionModel } from '../../models/unet-2d-condition';
import type { PreferenceTrainer } from '../../training/preference-trainer';
import { StepClock } from './step-clock';
import type { TrainingStore } from './training-store';

/** Passes between two times that what is measured is kept. */
const KEEP_EVERY_PASSES = 50;

export interface ReferenceJob {
  readonly runId: string;
  readonly trainer: PreferenceTrainer;
  readonly store: TrainingStore;
  /** A turn on the device, with the model. */
  turn(work: (unet: UNet2DConditionModel) => Promise<void>): Promise<void>;
  report(done: number, count: number, remainingSeconds: number | null): void;
  /** Whether to stop after the pass under way. */
  pauseAsked(): boolean;
  readonly signal: AbortSignal | undefined;
}

/**
 * Measures what a run keeps of its reference, pass by pass between other jobs, from where it was left.
 * @returns false when a pause ended it before its end
 * @throws JobCancelledError; NonFiniteError naming the pair
 */
export async function measureReferences(job: ReferenceJob): Promise<boolean> {
  const { runId, trainer, store, signal } = job;
  const { references } = trainer;
  if (!references) return true;
  const kept = await store.references(runId);
  if (kept) references.restore(kept);
  if (references.done === references.count) return true;
  const clock = new StepClock(references.count);
  const keep = (): Promise<void> => store.saveReferences(runId, references.snapshot());
  let stopped = false;
  try {
    for (let pass = 1; references.done < references.count && !stopped; pass += 1) {
      const left = clock.remaining(references.done);
      job.report(
        references.done,
        references.count,
        left === null ? null : left + secondsOfSteps(trainer, left),
      );
      await job.turn((unet) => trainer.measureReferences(unet));
      if (signal?.aborted) throw new JobCancelledError('Training was cancelled.');
      stopped = job.pauseAsked() && references.done < references.count;
      if (pass % KEEP_EVERY_PASSES === 0) await keep();
    }
  } catch (error) {
    await keep().catch(() => {}); // the first error says more
    throw error;
  }
  await keep();
  return !stopped;
}

/**
 * About what the steps will take, in the time of the passes that are left here: a step goes forward, back at twice the cost,
 * and forward once more where activations are computed again; a supervised one with winners alone.
 */
function secondsOfSteps({ references, plan, recipe, split }: PreferenceTrainer, left: number): number {
  const turnsLeft = (references?.count ?? 0) - (references?.done ?? 0);
  const winners = split.training.length * recipe.sftEpochs;
  const passes = (recipe.recompute ? 4 : 3) * (plan.dpoTurns + winners / 2);
  return (left / turnsLeft) * passes;
}
