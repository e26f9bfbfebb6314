import type { ExaminedPair, TrainMetrics } from '../../../engine/protocol-training';

export interface PairRow {
  readonly pair: number;
  readonly id: string;
  readonly prompt: string;
  readonly heldOut: boolean;
  /** One a noise level. */
  readonly margins: readonly number[];
  readonly mean: number;
  /** Its margins in training, by step. */
  readonly history: readonly { readonly step: number; readonly timestep: number; readonly margin: number }[];
}

/** Every pair with what the adapter makes of it, the worst first. */
export function pairRows(
  examined: readonly ExaminedPair[],
  metrics: readonly TrainMetrics[],
): readonly PairRow[] {
  const seen = new Map<number, PairRow['history'][number][]>();
  for (const { step, pairs } of metrics) {
    for (const { pair, timestep, margin } of pairs) {
      if (margin === null) continue;
      const list = seen.get(pair) ?? [];
      list.push({ step, timestep, margin });
      seen.set(pair, list);
    }
  }
  return examined
    .map(({ id, prompt, heldOut, errors }, pair): PairRow => {
      const margins = errors.map(({ margin }) => margin ?? 0);
      const mean = margins.reduce((sum, margin) => sum + margin, 0) / Math.max(margins.length, 1);
      return { pair, id, prompt, heldOut, margins, mean, history: seen.get(pair) ?? [] };
    })
    .sort((a, b) => a.mean - b.mean);
}
