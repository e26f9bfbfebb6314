import { peakOf } from '../audio';
import { promptKey } from '../common/prompt-key';
import { checkClip } from '../preferences/health/check-clip';
import type { TrainingClip, TrainingPair } from './protocol-training';

/** Sounds that no run should learn from, told before one starts by the engine, which refuses, and by the page; and what becomes of others. */

const SHORTEST_SECONDS = 0.1;
const SILENT_PEAK = 1e-5;
/** Of a clip that is said to be cut: recorders round lengths. */
const CUT_SECONDS = 0.05;
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

/** What happens to pairs that can be trained with, in words: clips that are cut or converted, prompts and pairs that repeat. */
export function remarksOn(
  pairs: readonly TrainingPair[],
  { sampleRateHz, durationSeconds }: { readonly sampleRateHz: number; readonly durationSeconds: number },
): readonly string[] {
  const clips = pairs.flatMap(({ winner, loser }) => [winner, loser]);
  const long = clips.filter((clip) => clip.audio.length / clip.sampleRateHz > durationSeconds + CUT_SECONDS);
  const rates = new Set(clips.map((clip) => clip.sampleRateHz));
  rates.delete(sampleRateHz);
  const prompts = countBy(pairs.map(({ prompt }) => promptKey(prompt)));
  const repeated = pairs.filter(({ prompt }) => (prompts.get(promptKey(prompt)) ?? 0) > 1);
  // Only pairs of one prompt can be the same, so that the sounds of the others are not read.
  const hashes = new Map<Float32Array, string>();
  const hashOf = ({ audio, sampleRateHz }: TrainingClip): string => {
    const hash = hashes.get(audio) ?? checkClip(audio, sampleRateHz).contentHash;
    hashes.set(audio, hash);
    return hash;
  };
  const sides = repeated.map(({ prompt, winner, loser }) => ({
    said: [promptKey(prompt), hashOf(winner), hashOf(loser)].join(' '),
    opposite: [promptKey(prompt), hashOf(loser), hashOf(winner)].join(' '),
  }));
  const said = countBy(sides.map((side) => side.said));
  const copies = sides.length - said.size;
  const against = sides.filter(({ opposite }) => said.has(opposite)).length;
  return [
    ...(long.length > 0
      ? [
          `Of ${counted(long.length, 'clip')} longer than ${Number(durationSeconds.toFixed(2))} s the beginning is used.`,
        ]
      : []),
    ...(rates.size > 0
      ? [
          `Clips at ${[...rates].map((rate) => `${rate / 1000} kHz`).join(', ')} are converted to ${sampleRateHz / 1000} kHz.`,
        ]
      : []),
    ...(repeated.length > 0
      ? [`${counted(repeated.length, 'pair')} share their prompt: they are trained or held out together.`]
      : []),
    ...(copies > 0
      ? [
          `${counted(copies, 'copy', 'copies')} of other pairs: each counts again; leave them out for an even weight.`,
        ]
      : []),
    ...(against > 0
      ? [`${counted(against, 'pair')} contradict one another and cancel out: vote on them again.`]
      : []),
  ];
}

function countBy(keys: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

function counted(count: number, one: string, several = `${one}s`): string {
  return `${count} ${count === 1 ? one : several}`;
}
