import { peakOf } from '../audio';
import type { TrainingClip, TrainingPair } from './protocol-training';

/** Sounds that no run should learn from, told before one starts: by the engine, which refuses, and by the page. */

const SHORTEST_SECONDS = 0.1;
const SILENT_PEAK = 1e-5;
/** Share of the samples at full scale from which on a recording is more clipping than sound. */
const CLIPPED_SHARE = 0.02;

/** What is wrong with a clip, to follow its name ("… is silent"); null when it can be trained with. */
export function clipProblem(clip: TrainingClip | undefined): string | null {
  if (
    !(clip?.audio instanceof Float32Array) ||
    !(clip.sampleRateHz >= 1000 && clip.sampleRateHz <= 384_000)
  ) {
    return `must be { audio: Float32Array, sampleRateHz: 1000…384000 }, but ${typeof clip?.audio} at ${clip?.sampleRateHz} Hz came`;
  }
  const { audio, sampleRateHz } = clip;
  if (!audio.every(Number.isFinite)) return 'has NaN or infinity';
  const seconds = audio.length / sampleRateHz;
  if (seconds < SHORTEST_SECONDS) {
    return `is too short: ${seconds.toFixed(2)} s, where ${SHORTEST_SECONDS} s is the least`;
  }
  const peak = peakOf(audio);
  if (peak < SILENT_PEAK) return 'is silent';
  if (peak >= 0.99) {
    const full = audio.reduce((count, value) => count + (Math.abs(value) >= 0.999 * peak ? 1 : 0), 0);
    const share = full / audio.length;
    if (share > CLIPPED_SHARE) return `is clipped: ${(share * 100).toFixed(0)} % of it is at full scale`;
  }
  return null;
}

/** Winner and loser are one and the same sound. */
export function isTie({ winner, loser }: Pick<TrainingPair, 'winner' | 'loser'>): boolean {
  const [a, b] = [winner.audio, loser.audio];
  return a.length === b.length && a.every((value, t) => value === b[t]);
}
