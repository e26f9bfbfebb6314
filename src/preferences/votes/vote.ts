/** A rater's answer; A and B are the pair's candidates by their place in the group, not the sides they were shown on. */
export type Choice = 'a' | 'b' | 'tie' | 'both-bad' | 'skip';

export const VOTE_REASONS = ['prompt', 'order', 'quality', 'noise', 'other'] as const;
export type VoteReason = (typeof VOTE_REASONS)[number];

export interface Vote {
  readonly id: string;
  readonly pairId: string;
  /** A name of the rater's own choosing. */
  readonly rater: string;
  readonly choice: Choice;
  /** Which candidate was shown on the left. */
  readonly left: 'a' | 'b';
  readonly reasons: readonly VoteReason[];
  /** Seconds of each sound that were heard before the vote. */
  readonly heardSeconds: { readonly a: number; readonly b: number };
  /** True when the pair was shown again to see whether the rater says the same. */
  readonly repeat: boolean;
  /** ISO 8601. */
  readonly at: string;
}

export type Verdict = 'a' | 'b' | 'tie' | 'both-bad';

/** Each rater's last answer that is not a repeat or a skip. */
export function countedVotes(votes: readonly Vote[]): readonly (Vote & { choice: Verdict })[] {
  const last = new Map<string, Vote & { choice: Verdict }>();
  for (const vote of votes) {
    if (!vote.repeat && vote.choice !== 'skip') {
      last.set(vote.rater, { ...vote, choice: vote.choice });
    }
  }
  return [...last.values()];
}

/** What the raters of a pair say together: the most frequent answer, a tie when there are two of them; null: no votes. */
export function verdictOf(votes: readonly Vote[]): Verdict | null {
  const counts = new Map<Verdict, number>();
  for (const { choice } of countedVotes(votes)) counts.set(choice, (counts.get(choice) ?? 0) + 1);
  if (counts.size === 0) return null;
  const most = Math.max(...counts.values());
  const leaders = [...counts].filter(([, count]) => count === most);
  return leaders.length === 1 ? leaders[0]![0] : 'tie';
}
