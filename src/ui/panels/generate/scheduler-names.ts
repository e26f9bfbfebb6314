import type { SchedulerName } from '../../../engine/protocol';

export const schedulerNames: Record<SchedulerName, string> = {
  'dpm-solver++': 'DPM-Solver++',
  ddim: 'DDIM',
  ddpm: 'DDPM',
};
