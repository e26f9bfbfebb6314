import type { DatasetView } from '../../../preferences/selection/choose-pairs';
import { winnerSide } from '../../../preferences/selection/choose-pairs';
import type { CandidateGroup, ScoredPair } from '../../../preferences/types';
import { byPair } from '../../../preferences/votes/agreement';
import { type Verdict, type Vote, verdictOf } from '../../../preferences/votes/vote';

export const QUEUES = ['pending', 'accepted', 'rejected', 'disagree', 'informative'] as const;
export type QueueName = (typeof QUEUES)[number];
export const QUEUE_LABELS: Readonly<Record<QueueName, string>> = {
  pending: 'Pending',
  accepted: 'Accepted',
  rejected: 'Rejected',
  disagree: 'CLAP and ear disagree',
  informative: 'Most informative',
};

/** A pair as the table and the listening view show it. */
export interface PairRow {
  readonly pair: ScoredPair;
  readonly accepted: boolean;
  readonly clapSide: 'a' | 'b';
  readonly verdict: Verdict | null;
  readonly voteCount: number;
  readonly disagrees: boolean;
  readonly score: number;
  readonly delta: number;
}

export function pairRows(
  view: DatasetView,
  groups: readonly CandidateGroup[],
  votes: readonly Vote[],
): readonly PairRow[] {
  const byId = new Map(groups.map((group) => [group.id, group]));
  const accepted = new Set(view.accepted.map(({ id }) => id));
  const own = byPair(votes);
  const modelId = view.rankingModelId ?? '';
  return view.pairs.map((pair) => {
    const pairVotes = own.get(pair.id) ?? [];
    const verdict = verdictOf(pairVotes);
    const clapSide = winnerSide(pair, byId);
    return {
      pair,
      accepted: accepted.has(pair.id),
      clapSide,
      verdict,
      voteCount: pairVotes.length,
      disagrees: (verdict === 'a' || verdict === 'b') && verdict !== clapSide,
      score: pair.winner.scores[modelId] ?? Number.NaN,
      delta: pair.deltas[modelId] ?? Number.NaN,
    };
  });
}

/** The pairs of a queue in the order to hear them. A rater's own answers decide what is pending. */
export function queueOf(
  name: QueueName,
  rows: readonly PairRow[],
  votes: readonly Vote[],
  rater: string,
): readonly PairRow[] {
  const heard = new Set(votes.filter((vote) => vote.rater === rater).map(({ pairId }) => pairId));
  switch (name) {
    case 'pending':
      return rows.filter(({ pair, accepted }) => accepted && !heard.has(pair.id));
    case 'accepted':
      return rows.filter(({ verdict }) => verdict === 'a' || verdict === 'b');
    case 'rejected':
      return rows.filter(
        ({ verdict, accepted }) =>
          verdict === 'tie' || verdict === 'both-bad' || (!accepted && verdict === null),
      );
    case 'disagree':
      return rows.filter(({ disagrees }) => disagrees);
    case 'informative':
      // Where CLAP is least sure an ear says most; models that contradict each other come first.
      return rows
        .filter(({ pair }) => !heard.has(pair.id))
        .map((row) => ({ row, certainty: certaintyOf(row.pair) }))
        .sort((one, other) => one.certainty - other.certainty)
        .map(({ row }) => row);
  }
}

/** The pair after this one; the first when it is the last or none of the queue; null when there is no other. */
export function nextInQueue(waiting: readonly PairRow[], pairId: string): string | null {
  const at = waiting.findIndex(({ pair }) => pair.id === pairId);
  const next = waiting[at + 1] ?? waiting[0];
  return next && next.pair.id !== pairId ? next.pair.id : null;
}

function certaintyOf({ deltas }: ScoredPair): number {
  return Math.min(...Object.values(deltas), Number.POSITIVE_INFINITY);
}
