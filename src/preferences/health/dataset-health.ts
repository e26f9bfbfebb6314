import { promptKey } from '../../common/prompt-key';
import { splitCaption } from '../perturbation/split-caption';
import { type SplitName, type SplitShares, splitOf } from '../splits';
import type { Candidate, ScoredPair } from '../types';

/** Quieter than −60 dB of full scale is silence to a listener. */
const SILENT_RMS = 1e-3;
/** A thousandth of the samples at full scale is heard as a crackle. */
const CLIPPED_SHARE = 1e-3;
/** Tukey's fences. */
const FENCE = 1.5;

export type HealthIssue =
  | 'silent'
  | 'clipped'
  | 'short'
  | 'duplicate-sound'
  | 'duplicate-prompt'
  | 'score-outlier'
  | 'split-leak';

export interface HealthFinding {
  readonly issue: HealthIssue;
  /** Pairs that have it. */
  readonly pairIds: readonly string[];
}

export interface DatasetHealth {
  readonly pairs: number;
  readonly prompts: number;
  readonly findings: readonly HealthFinding[];
  readonly durationSeconds: { readonly min: number; readonly median: number; readonly max: number } | null;
  readonly splits: Readonly<Record<'train' | 'validation' | 'test', number>>;
  readonly strategies: Readonly<Record<string, number>>;
  /** Known sound events of the prompts and how many pairs have each, most first. */
  readonly concepts: readonly { readonly name: string; readonly pairs: number }[];
  /** Largest over smallest share of the known events; 1 is balanced; null with fewer than two. */
  readonly conceptImbalance: number | null;
}

/** Splits may be given by a file; then prompts in several of them are told. */
export function datasetHealth(
  pairs: readonly ScoredPair[],
  shares: SplitShares,
  givenSplits?: ReadonlyMap<string, string>,
): DatasetHealth {
  const found = new Map<HealthIssue, Set<string>>();
  const tell = (issue: HealthIssue, pairId: string): void => {
    const ids = found.get(issue) ?? new Set();
    found.set(issue, ids.add(pairId));
  };
  const durations: number[] = [];
  const firstOfPrompt = new Map<string, ScoredPair>();
  const uses = new Map<string, Set<string>>();
  const concepts = new Map<string, number>();
  const strategies: Record<string, number> = {};
  const splits = { train: 0, validation: 0, test: 0 };
  const splitsOfPrompt = new Map<string, Set<string>>();
  // A prompt has many pairs, and is read once.
  const read = new Map<string, { key: string; concepts: readonly string[]; split: SplitName }>();
  const readPrompt = (prompt: string) => {
    const known = read.get(prompt);
    if (known) return known;
    const of = { key: promptKey(prompt), concepts: conceptsOf(prompt), split: splitOf(prompt, shares) };
    read.set(prompt, of);
    return of;
  };

  for (const pair of pairs) {
    for (const clip of [pair.winner, pair.loser]) {
      if (clip.check) durations.push(clip.check.durationSeconds);
    }
    checkPair(pair, (issue) => tell(issue, pair.id));
    for (const { check, clipId } of [pair.winner, pair.loser]) {
      if (check) uses.set(check.contentHash, (uses.get(check.contentHash) ?? new Set()).add(clipId));
    }
    const { key, concepts: spoken, split } = readPrompt(pair.prompt);
    const known = firstOfPrompt.get(key);
    if (known && known.prompt !== pair.prompt) tell('duplicate-prompt', pair.id);
    firstOfPrompt.set(key, known ?? pair);
    for (const name of spoken) concepts.set(name, (concepts.get(name) ?? 0) + 1);
    strategies[pair.strategy] = (strategies[pair.strategy] ?? 0) + 1;
    splits[split] += 1;
    const given = givenSplits?.get(pair.id);
    if (given) splitsOfPrompt.set(key, (splitsOfPrompt.get(key) ?? new Set()).add(given));
  }
  for (const pair of pairs) {
    // One clip in several pairs is how strategies work; two clips with one content are a duplicate.
    if ([pair.winner, pair.loser].some(({ check }) => check && uses.get(check.contentHash)!.size > 1)) {
      tell('duplicate-sound', pair.id);
    }
    if ((splitsOfPrompt.get(readPrompt(pair.prompt).key)?.size ?? 0) > 1) tell('split-leak', pair.id);
  }
  for (const id of scoreOutliers(pairs)) tell('score-outlier', id);

  durations.sort((a, b) => a - b);
  const counts = [...concepts].map(([name, count]) => ({ name, pairs: count }));
  counts.sort((a, b) => b.pairs - a.pairs || a.name.localeCompare(b.name));
  return {
    pairs: pairs.length,
    prompts: firstOfPrompt.size,
    findings: [...found].map(([issue, ids]) => ({ issue, pairIds: [...ids] })),
    durationSeconds:
      durations.length === 0
        ? null
        : { min: durations[0]!, median: durations[durations.length >> 1]!, max: durations.at(-1)! },
    splits,
    strategies,
    concepts: counts,
    conceptImbalance: counts.length < 2 ? null : counts[0]!.pairs / counts.at(-1)!.pairs,
  };
}

function checkPair({ winner, loser }: ScoredPair, tell: (issue: HealthIssue) => void): void {
  const some = (test: (check: NonNullable<Candidate['check']>) => boolean): boolean =>
    [winner, loser].some(({ check }) => check !== null && test(check));
  if (some(({ rms }) => rms < SILENT_RMS)) tell('silent');
  if (some(({ clippedShare }) => clippedShare > CLIPPED_SHARE)) tell('clipped');
  if (some(({ durationSeconds }) => durationSeconds < 0.5)) tell('short');
}

function scoreOutliers(pairs: readonly ScoredPair[]): readonly string[] {
  const modelIds = new Set(pairs.flatMap(({ deltas }) => Object.keys(deltas)));
  const outliers = new Set<string>();
  for (const modelId of modelIds) {
    const scoresOf = ({ winner, loser }: ScoredPair): number[] =>
      [winner, loser].flatMap(({ scores }) => scores[modelId] ?? []);
    const ascending = Float64Array.from(pairs.flatMap(scoresOf)).sort();
    const [low, high] = [0.25, 0.75].map((share) => ascending[Math.floor(share * (ascending.length - 1))]!);
    const reach = FENCE * (high! - low!);
    for (const pair of pairs) {
      if (scoresOf(pair).some((score) => score < low! - reach || score > high! + reach))
        outliers.add(pair.id);
    }
  }
  return [...outliers];
}

/** Names of the sound events that the caption's parts speak of, as far as they are known. */
export function conceptsOf(prompt: string): readonly string[] {
  const names = splitCaption(prompt).events.map(({ concept }) => concept?.name);
  return [...new Set(names.filter((name) => name !== undefined))];
}
