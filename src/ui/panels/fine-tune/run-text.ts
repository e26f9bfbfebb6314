import type { TrainProgress } from '../../../engine/protocol-training';

/** "Step 12 of 65", "Reading pair 3 of 40". */
export function runStageText({ stage, index, count }: TrainProgress): string {
  const step = `Step ${index} of ${count}`;
  switch (stage) {
    case 'prepare':
      return `Reading pair ${Math.min(index + 1, count)} of ${count}`;
    case 'reference':
      return `Measuring the frozen model: ${index} of ${count}`;
    case 'train':
      return step;
    case 'checkpoint':
      return `${step} · keeping a checkpoint`;
    case 'validate':
      return `${step} · measuring held-out pairs`;
    case 'sample':
      return `${step} · making samples`;
  }
}

/** As coarse as the estimate is; empty while there is none. */
export function runTimeLeft(seconds: number | null): string {
  if (seconds === null) return '';
  if (seconds < 60) return `${Math.max(1, Math.round(seconds))} s left`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min left` : `${(seconds / 3600).toFixed(1)} h left`;
}
