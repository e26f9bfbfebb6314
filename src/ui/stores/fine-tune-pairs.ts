import type { TrainingPair } from '../../engine/protocol-training';
import { clipProblem, isTie } from '../../engine/training-clips';

export interface PairProblem {
  readonly id: string;
  readonly prompt: string;
  readonly problem: string;
}

export interface CheckedPairs {
  readonly usable: readonly TrainingPair[];
  readonly problems: readonly PairProblem[];
  /** What happens to pairs that can be trained with, in words. */
  readonly remarks: readonly string[];
}

/** Tells the pairs that nothing can be learned from, and what will be done to the others. */
export function checkPairs(
  pairs: readonly TrainingPair[],
  model: { readonly sampleRateHz: number; readonly maxDurationSeconds: number },
): CheckedPairs {
  const problems: PairProblem[] = [];
  const usable: TrainingPair[] = [];
  for (const [i, pair] of pairs.entries()) {
    const problem = problemOf(pair);
    if (problem) problems.push({ id: pair.id ?? String(i + 1), prompt: pair.prompt, problem });
    else usable.push(pair);
  }
  return { usable, problems, remarks: remarksOn(usable, model) };
}

function problemOf({ prompt, winner, loser }: TrainingPair): string | null {
  if (prompt.trim() === '') return 'it has no prompt';
  for (const [name, clip] of Object.entries({ winner, loser })) {
    const problem = clipProblem(clip);
    if (problem) return `the ${name} ${problem}`;
  }
  return isTie({ winner, loser }) ? 'it is a tie: winner and loser are the same sound' : null;
}

function remarksOn(
  pairs: readonly TrainingPair[],
  {
    sampleRateHz,
    maxDurationSeconds,
  }: { readonly sampleRateHz: number; readonly maxDurationSeconds: number },
): readonly string[] {
  const clips = pairs.flatMap(({ winner, loser }) => [winner, loser]);
  const long = clips.filter(
    (clip) => clip.audio.length / clip.sampleRateHz > maxDurationSeconds + 0.05,
  ).length;
  const rates = [...new Set(clips.map((clip) => clip.sampleRateHz))].filter((rate) => rate !== sampleRateHz);
  return [
    ...(long > 0 ? [`Of ${long} clips longer than ${maxDurationSeconds} s the beginning is used.`] : []),
    ...(rates.length > 0
      ? [
          `Clips at ${rates.map((rate) => `${rate / 1000} kHz`).join(', ')} are converted to ${sampleRateHz / 1000} kHz.`,
        ]
      : []),
  ];
}
