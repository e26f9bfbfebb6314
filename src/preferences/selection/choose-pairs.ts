import { type SplitName, type SplitShares, splitOf } from '../splits';
import type { CandidateGroup, ClapModelName, ScoredPair } from '../types';
import { byPair } from '../votes/agreement';
import { type Verdict, type Vote, verdictOf } from '../votes/vote';
import {
  defaultSelection,
  filterByEnsemble,
  type Selection,
  type SelectionSettings,
} from './ensemble-filter';
import { formPairs, type PairPool } from './form-pairs';

export interface ChoiceFilter {
  /** `overrule` (default): a voted pair goes by its vote, the others by the bounds; `ignore`; `only`: voted ones. */
  readonly votes?: 'overrule' | 'ignore' | 'only';
  readonly strategies?: readonly string[];
  readonly split?: SplitName;
  /** Shares of the splits, by prompt; default: a tenth for validation, none for test. */
  readonly shares?: SplitShares;
  readonly pairIds?: readonly string[];
  /** The first ones only. */
  readonly limit?: number;
}

export const DEFAULT_SHARES: SplitShares = { validation: 0.1, test: 0 };

export interface DatasetView extends PairPool, Selection {
  readonly rankingModelId: string | null;
  readonly settings: SelectionSettings;
}

/** Pool and selection of a dataset as its record says. */
export function viewDataset(
  groups: readonly CandidateGroup[],
  dataset: {
    readonly clapModels: readonly ClapModelName[];
    readonly rankingModelId: string | null;
    readonly selection: SelectionSettings | null;
  },
): DatasetView {
  const rankingModelId = dataset.rankingModelId ?? dataset.clapModels[0]?.id ?? null;
  const settings = dataset.selection ?? defaultSelection(dataset.clapModels);
  const pool = formPairs(groups, rankingModelId);
  return { ...pool, ...filterByEnsemble(pool.pairs, settings), rankingModelId, settings };
}

/** Which of the pair's two candidates CLAP, or the file, has as the winner; `a` is the one that comes first in its group. */
export function winnerSide(pair: ScoredPair, groups: ReadonlyMap<string, CandidateGroup>): 'a' | 'b' {
  const candidates = groups.get(pair.groupId)?.candidates ?? [];
  return candidates.indexOf(pair.winner) <= candidates.indexOf(pair.loser) ? 'a' : 'b';
}

export function swapPair(pair: ScoredPair): ScoredPair {
  const deltas = Object.fromEntries(Object.entries(pair.deltas).map(([id, delta]) => [id, -delta]));
  return { ...pair, winner: pair.loser, loser: pair.winner, deltas };
}

/** The pairs to train with or to take away, each with the winner that counts. */
export function choosePairs(
  view: DatasetView,
  groups: readonly CandidateGroup[],
  votes: readonly Vote[],
  filter: ChoiceFilter = {},
): readonly ScoredPair[] {
  const { votes: policy = 'overrule', shares = DEFAULT_SHARES } = filter;
  const byId = new Map(groups.map((group) => [group.id, group]));
  const accepted = new Set(view.accepted.map(({ id }) => id));
  const verdicts = new Map<string, Verdict | null>();
  for (const [pairId, own] of byPair(votes)) verdicts.set(pairId, verdictOf(own));
  const wanted = filter.pairIds && new Set(filter.pairIds);

  const chosen: ScoredPair[] = [];
  for (const pair of view.pairs) {
    if (chosen.length >= (filter.limit ?? Number.POSITIVE_INFINITY)) break;
    if (wanted && !wanted.has(pair.id)) continue;
    if (filter.strategies && !filter.strategies.includes(pair.strategy)) continue;
    if (filter.split && splitOf(pair.prompt, shares) !== filter.split) continue;
    const verdict = policy === 'ignore' ? null : (verdicts.get(pair.id) ?? null);
    if (verdict === 'a' || verdict === 'b') {
      chosen.push(verdict === winnerSide(pair, byId) ? pair : swapPair(pair));
    } else if (verdict === null && policy !== 'only' && accepted.has(pair.id)) chosen.push(pair);
  }
  return chosen;
}
