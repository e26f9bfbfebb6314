import { InvalidInputError } from '../common/errors';

/** A prompt's states as the text encoder gave them. */
export interface CachedText {
  readonly states: Float32Array; // [L, D]
  readonly tokens: number;
  readonly width: number;
}

export interface CachedPair {
  readonly id: string;
  /** Key of `TrainingData.texts`. */
  readonly prompt: string;
  /** Scaled latents in PyTorch's order, [C, H, W]. */
  readonly winner: Float32Array;
  readonly loser: Float32Array;
}

/** What a run needs of its data: computed once, kept with the run. */
export interface TrainingData {
  /** [C, H, W] of every latent. */
  readonly latentShape: readonly [number, number, number];
  readonly pairs: readonly CachedPair[];
  /** With '' among them, for the pairs whose caption is left out. */
  readonly texts: ReadonlyMap<string, CachedText>;
}

/** @throws InvalidInputError naming the pair */
export function checkTrainingData({ pairs, texts, latentShape }: TrainingData): void {
  if (pairs.length === 0)
    throw new InvalidInputError('A run needs at least one pair of a winner and a loser.');
  const size = latentShape.reduce((product, axis) => product * axis);
  for (const { id, prompt, winner, loser } of pairs) {
    if (!texts.has(prompt)) throw new InvalidInputError(`The text states of the pair "${id}" are missing.`);
    if (winner.length === size && loser.length === size) continue;
    throw new InvalidInputError(
      `The latents of the pair "${id}" should be [${latentShape.join(', ')}], ${size} numbers; ${winner.length} and ${loser.length} came.`,
    );
  }
}
