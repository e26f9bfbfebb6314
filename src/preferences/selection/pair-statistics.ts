import type { ScoredPair } from '../types';

/** A row of the paper's Table 2. */
export interface StrategyStatistics {
  /** `all` for the last row. */
  readonly strategy: string;
  readonly pairs: number;
  readonly meanWinner: number;
  readonly meanLoser: number;
  readonly meanDelta: number;
}

/** Table 2 of the paper for any pairs, by one CLAP model; means are NaN where nothing is scored. */
export function pairStatistics(pairs: readonly ScoredPair[], modelId: string): readonly StrategyStatistics[] {
  const strategies = [...new Set(pairs.map(({ strategy }) => strategy))].sort();
  const row = (strategy: string, members: readonly ScoredPair[]): StrategyStatistics => ({
    strategy,
    pairs: members.length,
    meanWinner: mean(members.map(({ winner }) => winner.scores[modelId])),
    meanLoser: mean(members.map(({ loser }) => loser.scores[modelId])),
    meanDelta: mean(members.map(({ deltas }) => deltas[modelId])),
  });
  return [
    ...strategies.map((strategy) =>
      row(
        strategy,
        pairs.filter((pair) => pair.strategy === strategy),
      ),
    ),
    row('all', pairs),
  ];
}

export interface Histogram {
  readonly min: number;
  readonly max: number;
  readonly counts: readonly number[];
}

/** Counts in bins of one width between the extremes; one value alone fills the middle of a narrow range. */
export function histogram(values: readonly number[], bins: number): Histogram {
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return { min: 0, max: 1, counts: new Array<number>(bins).fill(0) };
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of finite) [min, max] = [Math.min(min, value), Math.max(max, value)];
  if (max - min < 1e-9) [min, max] = [min - 0.01, max + 0.01];
  const counts = new Array<number>(bins).fill(0);
  for (const value of finite) {
    counts[Math.min(Math.floor(((value - min) / (max - min)) * bins), bins - 1)]! += 1;
  }
  return { min, max, counts };
}

function mean(values: readonly (number | undefined)[]): number {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? Number.NaN : known.reduce((sum, value) => sum + value, 0) / known.length;
}
