/**
 * A preference dataset as large as Audio-alpaca: how long each thing that the Preferences panel computes holds the page's
 * thread, and what is done in slices or in the worker.
 */
import { datasetHealth } from '../../src/preferences/health/dataset-health';
import { choosePairs, DEFAULT_SHARES, viewDataset } from '../../src/preferences/selection/choose-pairs';
import { filterByEnsemble, resolveBounds } from '../../src/preferences/selection/ensemble-filter';
import { histogram, pairStatistics } from '../../src/preferences/selection/pair-statistics';
import { raterAgreement, raterReports } from '../../src/preferences/votes/agreement';
import { clapWinRate } from '../../src/preferences/votes/win-rate';
import { syntheticDataset } from '../../src/testing/synthetic-dataset';
import {
  conceptCounts,
  facetReader,
  filterRows,
  NO_FILTER,
  type PairFilter,
  SORT_KEYS,
  sortRows,
} from '../../src/ui/panels/preferences/pair-filter';
import { pairRows, QUEUES, queueOf } from '../../src/ui/panels/preferences/queue';

const PAIRS = 15_000;
const RUNS = 7;

const { dataset, groups, votes } = syntheticDataset(PAIRS);
const view = viewDataset(groups, dataset);
const rows = pairRows(view, groups, votes);
const facetsOf = facetReader();
conceptCounts(rows, facetsOf); // reads the captions: measured apart
const filters: Readonly<Record<string, Partial<PairFilter>>> = {
  text: { text: 'dog' },
  tag: { tag: 'sequence' },
  concept: { concept: 'bell' },
  vote: { vote: 'disagrees' },
  range: { winner: { least: 0.4, most: 0.8 }, delta: { least: 0.1, most: Number.NaN } },
};

const page: Readonly<Record<string, () => unknown>> = {
  viewDataset: () => viewDataset(groups, dataset),
  choosePairs: () => choosePairs(view, groups, votes),
  'table: rows': () => pairRows(view, groups, votes),
  'table: sound events of captions that are read': () => conceptCounts(rows, facetsOf),
  ...Object.fromEntries(
    Object.entries(filters).map(([name, part]) => [
      `table: filter by ${name}`,
      () => filterRows(rows, { ...NO_FILTER, ...part }, facetsOf),
    ]),
  ),
  ...Object.fromEntries(
    SORT_KEYS.map((key) => [`table: sort by ${key}`, () => sortRows(rows, { key, down: true })]),
  ),
  'selection: a bound is dragged': () => {
    resolveBounds(view.pairs, view.settings);
    return filterByEnsemble(view.pairs, view.settings);
  },
  'selection: Table 2': () => pairStatistics(view.accepted, 'clap-a'),
  'selection: six histograms': () =>
    dataset.clapModels.flatMap(({ id }) => [
      histogram(
        view.pairs.map(({ winner }) => winner.scores[id]!),
        40,
      ),
      histogram(
        view.pairs.map(({ loser }) => loser.scores[id]!),
        40,
      ),
      histogram(
        view.pairs.map(({ deltas }) => deltas[id]!),
        40,
      ),
    ]),
  'listen: queues': () => QUEUES.map((name) => queueOf(name, rows, votes, 'Ada').length),
  'listen: raters': () => raterReports(votes),
  'health: agreement': () => [
    raterAgreement(votes),
    clapWinRate(votes, new Map(rows.map(({ pair, clapSide }) => [pair.id, clapSide]))),
  ],
};
const apart = {
  // The table reads captions in slices of 8 ms.
  'table: captions read': () => conceptCounts(rows, facetReader()),
  'worker: health': () => datasetHealth(choosePairs(view, groups, votes), DEFAULT_SHARES),
};

function timesOf(work: () => unknown) {
  const times = Array.from({ length: RUNS }, () => {
    const begin = performance.now();
    work();
    return performance.now() - begin;
  });
  const ascending = times.toSorted((one, other) => one - other);
  const rounded = (ms: number): number => Math.round(10 * ms) / 10;
  return {
    firstMs: rounded(times[0]!),
    medianMs: rounded(ascending[RUNS >> 1]!),
    bestMs: rounded(ascending[0]!),
  };
}

/** Milliseconds of each part, in words. */
export function measurePanel() {
  const measure = (parts: Readonly<Record<string, () => unknown>>) =>
    Object.fromEntries(Object.entries(parts).map(([name, work]) => [name, timesOf(work)]));
  return { pairs: view.pairs.length, votes: votes.length, page: measure(page), apart: measure(apart) };
}
