import { DDIMScheduler } from './ddim-scheduler';
import { DDPMScheduler } from './ddpm-scheduler';
import { DPMSolverMultistepScheduler } from './dpm-solver-multistep-scheduler';
import type { Scheduler } from './scheduler';

export { DDIMScheduler } from './ddim-scheduler';
export { DDPMScheduler } from './ddpm-scheduler';
export { DPMSolverMultistepScheduler } from './dpm-solver-multistep-scheduler';
export type { Scheduler, StepCoefficients } from './scheduler';
export { SchedulerRun } from './scheduler-run';

export const SCHEDULER_NAMES = ['ddpm', 'ddim', 'dpm-solver++'] as const;
export type SchedulerName = (typeof SCHEDULER_NAMES)[number];

/**
 * The scheduler of a name over a checkpoint's scheduler_config.json, whichever class wrote it.
 * @throws InvalidConfigError naming the field that is not supported.
 */
export function createScheduler(name: SchedulerName, json: unknown): Scheduler {
  switch (name) {
    case 'ddpm':
      return DDPMScheduler.fromConfig(json);
    case 'ddim':
      return DDIMScheduler.fromConfig(json);
    case 'dpm-solver++':
      return DPMSolverMultistepScheduler.fromConfig(json);
  }
}
