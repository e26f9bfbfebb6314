/**
 * transformers' `get_linear_schedule_with_warmup`: from 0 up over the warm-up, then down to 0 at the last step.
 *
 * @param step 0 for the first
 * @param warmupSteps below `totalSteps`
 */
export function linearSchedule(step: number, warmupSteps: number, totalSteps: number): number {
  if (step < warmupSteps) return step / Math.max(1, warmupSteps);
  return Math.max(0, (totalSteps - step) / Math.max(1, totalSteps - warmupSteps));
}
