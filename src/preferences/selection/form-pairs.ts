import type { Candidate, CandidateGroup, ScoredPair } from '../types';

/** Why a pair of a group is not in the pool that the ensemble filters. */
export interface UnformedPair {
  readonly groupId: string;
  readonly prompt: string;
  readonly strategy: string;
  readonly reason: 'not-made' | 'not-scored' | 'loser-scores-higher' | 'same-sound';
}

export interface PairPool {
  readonly pairs: readonly ScoredPair[];
  readonly unformed: readonly UnformedPair[];
}

/**
 * The pool of the paper's section 4.1.2, by the scores of one CLAP model. Strategy 1: the clip with the highest score
 * wins against each of the others. Strategies 2 and 3: the prompt's own clip against each perturbed one, where
 * CLAP(τ, x) > CLAP(τ, x′). Pairs that came from a file stay as they came, scored or not.
 */
export function formPairs(groups: readonly CandidateGroup[], rankingModelId: string | null): PairPool {
  const pairs: ScoredPair[] = [];
  const unformed: UnformedPair[] = [];
  for (const group of groups) {
    const { id: groupId, prompt, strategy, ranking } = group;
    const leaveOut = (reason: UnformedPair['reason']): void => {
      unformed.push({ groupId, prompt, strategy, reason });
    };
    const winner = winnerOf(group, rankingModelId);
    for (const loser of group.candidates) {
      if (loser === (winner ?? group.candidates[0])) continue;
      // The best of all is known when all are there; elsewhere two are enough.
      const needed = ranking === 'best-of-all' || !winner ? group.candidates : [winner, loser];
      if (ranking === 'given') pairs.push(toPair(group, group.candidates[0]!, loser));
      else if (needed.some(({ check }) => !check)) leaveOut('not-made');
      else if (!winner || rankingModelId === null || !scored(winner, loser, rankingModelId))
        leaveOut('not-scored');
      else if (winner.check?.contentHash === loser.check?.contentHash) leaveOut('same-sound');
      else if (winner.scores[rankingModelId]! <= loser.scores[rankingModelId]!)
        leaveOut('loser-scores-higher');
      else pairs.push(toPair(group, winner, loser));
    }
  }
  return { pairs, unformed };
}

function winnerOf({ ranking, candidates }: CandidateGroup, modelId: string | null): Candidate | null {
  if (ranking !== 'best-of-all') return candidates[0] ?? null;
  if (modelId === null || candidates.some(({ scores }) => scores[modelId] === undefined)) return null;
  // The first of equals: the order of the plan decides, not that of a sort.
  return candidates.reduce((best, one) => (one.scores[modelId]! > best.scores[modelId]! ? one : best));
}

function scored(winner: Candidate, loser: Candidate, modelId: string): boolean {
  return winner.scores[modelId] !== undefined && loser.scores[modelId] !== undefined;
}

function toPair(group: CandidateGroup, winner: Candidate, loser: Candidate): ScoredPair {
  const deltas: Record<string, number> = {};
  for (const [modelId, score] of Object.entries(winner.scores)) {
    const other = loser.scores[modelId];
    if (other !== undefined) deltas[modelId] = score - other;
  }
  return {
    id: pairId(group.id, group.candidates.indexOf(winner), group.candidates.indexOf(loser)),
    groupId: group.id,
    prompt: group.prompt,
    strategy: group.strategy,
    winner,
    loser,
    deltas,
  };
}

/** The same two candidates have one id, whichever of them wins: votes stay with the sounds when models disagree. */
function pairId(groupId: string, a: number, b: number): string {
  return `${groupId}:${Math.min(a, b)}-${Math.max(a, b)}`;
}
