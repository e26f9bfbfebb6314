import type { TrainingPair } from '../../engine/protocol-training';
import { clipProblem, isTie } from '../../engine/training-clips';

export interface PairProblem {
  readonly id: string;
  readonly prompt: string;
  readonly problem: string;
}

export interface CheckedPairs {
  readonly usable: readonly TrainingPair[];
  readonly problems: readonly PairProblem[];
}

/** Tells the pairs that nothing can be learned from. */
export function checkPairs(pairs: readonly TrainingPair[]): CheckedPairs {
  const problems: PairProblem[] = [];
  const usable: TrainingPair[] = [];
  for (const [i, pair] of pairs.entries()) {
    const problem = problemOf(pair);
    if (problem) problems.push({ id: pair.id ?? String(i + 1), prompt: pair.prompt, problem });
    else usable.push(pair);
  }
  return { usable, problems };
}

function problemOf({ prompt, winner, loser }: TrainingPair): string | null {
  if (prompt.trim() === '') return 'it has no prompt';
  for (const [name, clip] of Object.entries({ winner, loser })) {
    const problem = clipProblem(clip);
    if (problem) return `the ${name} ${problem}`;
  }
  return isTie({ winner, loser }) ? 'it is a tie: winner and loser are the same sound' : null;
}
