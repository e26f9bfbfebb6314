import { promptKey } from '../common/prompt-key';
import { TorchGenerator } from '../common/random';
import type { PlannedPair } from './training-plan';

/** With fewer prompts than this nothing is held out: one of them would be a large share, and say little. */
export const FEWEST_PROMPTS_TO_HOLD_OUT = 5;
/** Pairs that one validation measures at most. */
const MOST_PAIRS = 16;
/** Noise levels of a validation, as shares of the process: a pair is measured at each. */
const LEVELS = [0.25, 0.75] as const;
const SALT = 0x5eed;

export interface Split {
  /** Indices of the pairs that are trained. */
  readonly training: readonly number[];
  /** Indices of the pairs whose prompts the run never sees. */
  readonly heldOut: readonly number[];
}

/**
 * Holds whole prompts out: pairs of one prompt, however it is written, are too alike for one of them to judge a model
 * that was trained on the other.
 * @param share of the prompts, 0 … 0.5
 */
export function splitByPrompt(prompts: readonly string[], share: number, seed: number): Split {
  const distinct = [...new Map([...prompts].sort().map((prompt) => [promptKey(prompt), prompt])).keys()];
  const generator = new TorchGenerator((seed ^ SALT) >>> 0);
  for (let i = distinct.length - 1; i > 0; i -= 1) {
    const j = generator.randint(0, i + 1, 1)[0] ?? 0;
    [distinct[i], distinct[j]] = [distinct[j] as string, distinct[i] as string];
  }
  const count =
    share === 0 || distinct.length < FEWEST_PROMPTS_TO_HOLD_OUT
      ? 0
      : Math.max(1, Math.round(share * distinct.length));
  const held = new Set(distinct.slice(0, count));
  const indices = prompts.map((_, i) => i);
  const isHeld = (i: number): boolean => held.has(promptKey(prompts[i] ?? ''));
  return { training: indices.filter((i) => !isHeld(i)), heldOut: indices.filter(isHeld) };
}

/** What a validation measures: the same pairs, noise levels and noises each time, so that its figures compare. */
export function validationDraws(
  heldOut: readonly number[],
  numTrainTimesteps: number,
  seed: number,
): readonly PlannedPair[] {
  return drawsAt(heldOut.slice(0, MOST_PAIRS), LEVELS, numTrainTimesteps, seed);
}

/** Each pair at each noise level (shares of the process), with noises of their own. */
export function drawsAt(
  pairs: readonly number[],
  levels: readonly number[],
  numTrainTimesteps: number,
  seed: number,
): readonly PlannedPair[] {
  const generator = new TorchGenerator((seed ^ (SALT * 3)) >>> 0);
  return pairs.flatMap((pair) =>
    levels.map(
      (level): PlannedPair => ({
        pair,
        timestep: Math.min(Math.floor(level * numTrainTimesteps), numTrainTimesteps - 1),
        noiseSeed: generator.random(),
        dropCaption: false,
      }),
    ),
  );
}
