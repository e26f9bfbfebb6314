import { MERGED_UNET } from '../../diffusion/checkpoints/tango-released';
import { LINEAGE_KEY } from '../../training/lora/safetensors-blob';
import type { TrainingData } from '../../training/training-data';
import { type ModelFolder, openSafetensors } from '../../weights';
import { lineageOf, parseLineage } from '../lineage';
import type { AdapterLineage, TrainingPair, TrainRun } from '../protocol-training';

/** The lineage as exported files hold it, each pair's id and prompt among it where they are known. */
export function lineageRecord(run: TrainRun, data: TrainingData | null): string {
  const lineage = lineageOf(run);
  const list = data?.pairs.map(({ id, prompt }) => ({ id, prompt }));
  return JSON.stringify(list ? { ...lineage, pairs: { ...lineage.pairs, list } } : lineage);
}

/** What a model's files say of the run that its UNet was merged from; null where they say nothing. */
export async function modelLineage(files: ModelFolder): Promise<AdapterLineage | null> {
  for (const path of files.list()) {
    if (!/^unet\/[^/]+\.safetensors$/.test(path) && !path.endsWith(MERGED_UNET)) continue;
    const { metadata } = await openSafetensors(await files.blob(path), path);
    const lineage = parseLineage(metadata.get(LINEAGE_KEY) ?? null);
    if (lineage) return lineage;
  }
  return null;
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
