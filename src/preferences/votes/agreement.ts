import type { Vote } from './vote';
import { countedVotes } from './vote';

/**
 * Krippendorff's alpha for nominal answers, with any number of raters and gaps (Krippendorff 2011, "Computing
 * Krippendorff's alpha-reliability"). Agreement in the same sense as `krippendorff.alpha(level_of_measurement="nominal")`.
 *
 * @param units the answers that each pair got
 * @returns 1: perfect; 0: as by chance; null when fewer than two answers can be compared or all are the same
 */
export function krippendorffAlpha(units: readonly (readonly string[])[]): number | null {
  const pairable = units.filter(({ length }) => length > 1);
  const totals = new Map<string, number>();
  let [observed, count] = [0, 0];
  for (const answers of pairable) {
    const counts = new Map<string, number>();
    for (const answer of answers) counts.set(answer, (counts.get(answer) ?? 0) + 1);
    for (const [answer, n] of counts) {
      totals.set(answer, (totals.get(answer) ?? 0) + n);
      observed += (n * (answers.length - n)) / (answers.length - 1);
    }
    count += answers.length;
  }
  let expected = 0;
  for (const n of totals.values()) expected += n * (count - n);
  if (expected === 0) return null;
  return 1 - ((count - 1) * observed) / expected;
}

/** Alpha over the raters of a dataset. */
export function raterAgreement(votes: readonly Vote[]): number | null {
  return krippendorffAlpha(
    [...byPair(votes).values()].map((own) => countedVotes(own).map(({ choice }) => choice)),
  );
}

export interface RaterReport {
  readonly rater: string;
  readonly votes: number;
  readonly skips: number;
  /** Share of the hidden repeats with the answer of the first time; null before there is one. */
  readonly consistency: number | null;
  readonly repeats: number;
  /** Share of the left side among A/B answers, and the probability of one so far from a half by chance. */
  readonly leftShare: number | null;
  readonly leftBiasP: number | null;
  /** Sets of three sounds of a prompt that were ordered in a circle. */
  readonly cycles: number;
}

export function raterReports(votes: readonly Vote[]): readonly RaterReport[] {
  const raters = [...new Set(votes.map(({ rater }) => rater))].sort();
  return raters.map((rater) => {
    const own = votes.filter((vote) => vote.rater === rater);
    const answers = own.filter(({ choice, repeat }) => choice !== 'skip' && !repeat);
    const preferences = own.filter(({ choice }) => choice === 'a' || choice === 'b');
    const left = preferences.filter((vote) => vote.choice === vote.left).length;
    const first = new Map(answers.map((vote) => [vote.pairId, vote.choice]));
    const repeats = own.filter(
      ({ repeat, choice, pairId }) => repeat && choice !== 'skip' && first.has(pairId),
    );
    const same = repeats.filter(({ choice, pairId }) => first.get(pairId) === choice).length;
    return {
      rater,
      votes: answers.length,
      skips: own.filter(({ choice }) => choice === 'skip').length,
      consistency: repeats.length === 0 ? null : same / repeats.length,
      repeats: repeats.length,
      leftShare: preferences.length === 0 ? null : left / preferences.length,
      leftBiasP: preferences.length === 0 ? null : signTest(left, preferences.length),
      cycles: countCycles(answers),
    };
  });
}

/** Two-sided exact binomial test of a half. */
export function signTest(successes: number, trials: number): number {
  const extreme = Math.max(successes, trials - successes);
  let [logTerm, tail] = [-trials * Math.LN2, 0]; // log of C(trials, 0) / 2^trials
  for (let k = 0; k <= trials; k += 1) {
    if (k >= extreme) tail += Math.exp(logTerm);
    logTerm += Math.log((trials - k) / (k + 1));
  }
  return Math.min(1, 2 * tail);
}

/** Pair ids are `group:i-j`: three of one group with all their answers may go round in a circle. */
function countCycles(votes: readonly Vote[]): number {
  const beats = new Map<string, Set<string>>();
  for (const { pairId, choice } of votes) {
    const [, group, a, b] = /^(.*):(\d+)-(\d+)$/.exec(pairId) ?? [];
    if (choice !== 'a' && choice !== 'b') continue;
    const [winner, loser] = choice === 'a' ? [a, b] : [b, a];
    const key = `${group}:${winner}`;
    beats.set(key, (beats.get(key) ?? new Set()).add(`${group}:${loser}`));
  }
  let cycles = 0;
  for (const [one, losers] of beats) {
    for (const two of losers)
      for (const three of beats.get(two) ?? []) if (beats.get(three)?.has(one)) cycles += 1;
  }
  return cycles / 3; // each circle is met from its three sounds
}

export function byPair(votes: readonly Vote[]): ReadonlyMap<string, readonly Vote[]> {
  const pairs = new Map<string, Vote[]>();
  for (const vote of votes) {
    const own = pairs.get(vote.pairId);
    if (own) own.push(vote);
    else pairs.set(vote.pairId, [vote]);
  }
  return pairs;
}
