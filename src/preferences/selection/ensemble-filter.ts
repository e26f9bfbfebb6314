import type { ClapModelName, ScoredPair } from '../types';

/** What one CLAP model asks of a pair: the paper's α, β and Δ. */
export interface ModelBounds {
  readonly modelId: string;
  /** α: the winner's score at least. */
  readonly winnerAtLeast: number;
  /** β: the loser's score at least. */
  readonly loserAtLeast: number;
  /** Δ: winner − loser within these, both ends included. */
  readonly deltaAtLeast: number;
  readonly deltaAtMost: number;
}

export interface SelectionSettings {
  /** `values`: bounds are scores; `percentiles`: 0…100 of the pool's own scores, for models on another scale. */
  readonly mode: 'values' | 'percentiles';
  /** Every bound of every model has to hold. */
  readonly bounds: readonly ModelBounds[];
}

export type RejectionReason = 'winner-below' | 'loser-below' | 'delta-below' | 'delta-above' | 'no-score';

export interface Rejection {
  readonly pair: ScoredPair;
  /** Every condition that does not hold, by model. */
  readonly failed: readonly { readonly modelId: string; readonly reason: RejectionReason }[];
}

export interface Selection {
  readonly accepted: readonly ScoredPair[];
  readonly rejected: readonly Rejection[];
}

type Bounds = Omit<ModelBounds, 'modelId'>;

/** The paper's, for 630k-audioset-best and 630k-best. */
export const PAPER_BOUNDS: readonly [Bounds, Bounds] = [
  { winnerAtLeast: 0.45, loserAtLeast: 0.4, deltaAtLeast: 0.05, deltaAtMost: 0.35 },
  { winnerAtLeast: 0.6, loserAtLeast: 0, deltaAtLeast: 0.08, deltaAtMost: 0.7 },
];
/** Ours, for models on another scale: without the worst quarter of winners and losers, ties and outliers. */
export const PERCENTILE_BOUNDS: Bounds = {
  winnerAtLeast: 25,
  loserAtLeast: 10,
  deltaAtLeast: 20,
  deltaAtMost: 98,
};
const PAPER_MODELS = [/630k-audioset-best/i, /630k-best/i] as const;

/** The paper's bounds where the models are the paper's; else percentiles. */
export function defaultSelection(models: readonly ClapModelName[]): SelectionSettings {
  const places = models.map(({ id, name }) => PAPER_MODELS.findIndex((known) => known.test(`${id} ${name}`)));
  if (models.length > 0 && places.every((place) => place >= 0)) {
    return {
      mode: 'values',
      bounds: models.map(({ id }, i) => ({ modelId: id, ...PAPER_BOUNDS[places[i] === 0 ? 0 : 1] })),
    };
  }
  return { mode: 'percentiles', bounds: models.map(({ id }) => ({ modelId: id, ...PERCENTILE_BOUNDS })) };
}

/** The paper's values in the order of the models, whatever they are. */
export function paperSelection(models: readonly ClapModelName[]): SelectionSettings {
  return {
    mode: 'values',
    bounds: models.slice(0, 2).map(({ id }, i) => ({ modelId: id, ...PAPER_BOUNDS[i === 0 ? 0 : 1] })),
  };
}

/** Percentile bounds as scores of this pool; bounds in scores as they are. */
export function resolveBounds(
  pairs: readonly ScoredPair[],
  settings: SelectionSettings,
): readonly ModelBounds[] {
  if (settings.mode === 'values') return settings.bounds;
  return settings.bounds.map((bounds) => {
    const { modelId } = bounds;
    const winners = sorted(pairs, ({ winner }) => winner.scores[modelId]);
    const losers = sorted(pairs, ({ loser }) => loser.scores[modelId]);
    const deltas = sorted(pairs, (pair) => pair.deltas[modelId]);
    return {
      modelId,
      winnerAtLeast: percentile(winners, bounds.winnerAtLeast),
      loserAtLeast: percentile(losers, bounds.loserAtLeast),
      deltaAtLeast: percentile(deltas, bounds.deltaAtLeast),
      deltaAtMost: percentile(deltas, bounds.deltaAtMost),
    };
  });
}

/** Keeps a pair if and only if every condition of every model holds; says of the others which do not. */
export function filterByEnsemble(pairs: readonly ScoredPair[], settings: SelectionSettings): Selection {
  const bounds = resolveBounds(pairs, settings);
  const accepted: ScoredPair[] = [];
  const rejected: Rejection[] = [];
  for (const pair of pairs) {
    const failed: { modelId: string; reason: RejectionReason }[] = [];
    for (const one of bounds) {
      for (const reason of failuresOf(pair, one)) failed.push({ modelId: one.modelId, reason });
    }
    if (failed.length === 0) accepted.push(pair);
    else rejected.push({ pair, failed });
  }
  return { accepted, rejected };
}

function failuresOf(pair: ScoredPair, bounds: ModelBounds): readonly RejectionReason[] {
  const winner = pair.winner.scores[bounds.modelId];
  const loser = pair.loser.scores[bounds.modelId];
  const delta = pair.deltas[bounds.modelId];
  if (winner === undefined || loser === undefined || delta === undefined) return ['no-score'];
  const failures: RejectionReason[] = [];
  if (winner < bounds.winnerAtLeast) failures.push('winner-below');
  if (loser < bounds.loserAtLeast) failures.push('loser-below');
  if (delta < bounds.deltaAtLeast) failures.push('delta-below');
  if (delta > bounds.deltaAtMost) failures.push('delta-above');
  return failures;
}

/** Ascending; pairs without the value are left out. */
function sorted(pairs: readonly ScoredPair[], read: (pair: ScoredPair) => number | undefined): Float64Array {
  // Float64Array.from goes by iterators: many times as long for 15,000 pairs.
  const values = new Float64Array(pairs.length);
  let count = 0;
  for (const pair of pairs) {
    const value = read(pair);
    if (value === undefined) continue;
    values[count] = value;
    count += 1;
  }
  return values.subarray(0, count).sort();
}

/** Linear between the two nearest, as numpy's default; NaN of nothing. */
export function percentile(ascending: Float64Array, share: number): number {
  const at = (Math.min(Math.max(share, 0), 100) / 100) * (ascending.length - 1);
  const low = ascending[Math.floor(at)] ?? Number.NaN;
  const high = ascending[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}
