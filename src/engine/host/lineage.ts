import type { TrainingData } from '../../training/training-data';
import { lineageOf } from '../lineage';
import type { TrainingPair, TrainRun } from '../protocol-training';

/** The lineage as exported files hold it, each pair's id and prompt among it where they are known. */
export function lineageRecord(run: TrainRun, data: TrainingData | null): string {
  const lineage = lineageOf(run);
  const list = data?.pairs.map(({ id, prompt }) => ({ id, prompt }));
  return JSON.stringify(list ? { ...lineage, pairs: { ...lineage.pairs, list } } : lineage);
}

/** Hash of the pairs that a run is made with, as `PairsLineage` has it. @returns hexadecimal digits */
export async function pairsHash(pairs: readonly Required<TrainingPair>[]): Promise<string> {
  // Pair by pair, so that not all of them are copied at once.
  let hash = new Uint8Array(0);
  for (const { id, prompt, winner, loser } of pairs) {
    const texts = JSON.stringify([id, prompt, winner.sampleRateHz, loser.sampleRateHz]);
    const part = new Blob([hash, texts, winner.audio.slice(), loser.audio.slice()]);
    hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await part.arrayBuffer()));
  }
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
