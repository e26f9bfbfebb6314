import { peakOf } from '../../audio';
import { InvalidInputError } from '../../common/errors';
import { TANGO_LIMITS } from '../../diffusion/pipelines/tango-request';
import { ATTENTION_TARGETS, FEED_FORWARD_TARGETS } from '../../training/lora/lora-config';
import { checkTrainingRecipe, type TrainingRecipe } from '../../training/training-recipe';
import type { TrainingClip, TrainingPair, TrainRequest, TrainSettings } from '../protocol-training';

/** The preset for a small model: LoRA on every attention, one supervised epoch and four of DPO as in the paper. */
export const TRAIN_DEFAULTS: TrainSettings = {
  rank: 8,
  alpha: 8,
  targets: 'attention',
  beta: 2000,
  learningRate: 1e-4,
  weightDecay: 1e-2,
  warmupSteps: 5,
  maxGradNorm: 1,
  sftEpochs: 1,
  dpoEpochs: 4,
  pairsPerPass: 1,
  pairsPerStep: 8,
  captionDropout: 0,
  seed: 0,
  checkpointEverySteps: 10,
};

/** Fills in the defaults. @throws InvalidInputError naming the field, its range and what came */
export function resolveSettings(request: TrainRequest): TrainSettings {
  const fields = Object.keys(TRAIN_DEFAULTS) as (keyof TrainSettings)[];
  const given = fields.filter((field) => request[field] !== undefined);
  const settings = {
    ...TRAIN_DEFAULTS,
    ...Object.fromEntries(given.map((field) => [field, request[field]])),
  } as TrainSettings;
  const every = settings.checkpointEverySteps;
  if (!Number.isInteger(every) || every < 1) {
    throw new InvalidInputError(`checkpointEverySteps is a whole number of at least 1, but ${every} came.`);
  }
  checkTrainingRecipe(recipeOf(settings));
  return settings;
}

/** @throws InvalidInputError when the targets are unknown */
export function recipeOf({ rank, alpha, targets, ...settings }: TrainSettings): TrainingRecipe {
  if (targets !== 'attention' && targets !== 'attention-and-feed-forward') {
    throw new InvalidInputError(
      `targets is "attention" or "attention-and-feed-forward", but ${String(targets)} came.`,
    );
  }
  const targetModules =
    targets === 'attention' ? ATTENTION_TARGETS : [...ATTENTION_TARGETS, ...FEED_FORWARD_TARGETS];
  return { ...settings, lora: { rank, alpha, targetModules } };
}

/** The pairs with an id each. @throws InvalidInputError naming the pair */
export function checkPairs(pairs: unknown): readonly Required<TrainingPair>[] {
  if (!Array.isArray(pairs) || pairs.length === 0) {
    throw new InvalidInputError('A run needs a list of at least one pair { prompt, winner, loser }.');
  }
  return (pairs as readonly TrainingPair[]).map((pair, i) => {
    const id = pair?.id ?? String(i + 1);
    if (typeof pair?.prompt !== 'string' || pair.prompt.trim() === '') {
      throw new InvalidInputError(`The pair "${id}" needs a prompt that is not empty.`);
    }
    checkClip(pair.winner, `The winner of the pair "${id}"`);
    checkClip(pair.loser, `The loser of the pair "${id}"`);
    const { audio } = pair.winner;
    const other = pair.loser.audio;
    if (audio.length === other.length && audio.every((value, t) => value === other[t])) {
      throw new InvalidInputError(
        `The pair "${id}" is a tie: winner and loser are the same sound. Leave it out.`,
      );
    }
    return { ...pair, id };
  });
}

function checkClip(clip: TrainingClip | undefined, what: string): void {
  if (
    !(clip?.audio instanceof Float32Array) ||
    !(clip.sampleRateHz >= 1000 && clip.sampleRateHz <= 384_000)
  ) {
    throw new InvalidInputError(
      `${what} must be { audio: Float32Array, sampleRateHz: 1000…384000 }, but ${typeof clip?.audio} at ${clip?.sampleRateHz} Hz came.`,
    );
  }
  if (!clip.audio.every(Number.isFinite)) throw new InvalidInputError(`${what} has NaN or infinity.`);
  const seconds = clip.audio.length / clip.sampleRateHz;
  if (seconds < 0.1)
    throw new InvalidInputError(`${what} is too short: ${seconds.toFixed(2)} s; 0.1 s at least.`);
  if (peakOf(clip.audio) < 1e-5) throw new InvalidInputError(`${what} is silent. Leave the pair out.`);
}

/** Seconds that every clip is cut or padded to. @throws InvalidInputError outside the model's bounds */
export function clipSeconds(given: number | undefined, pairs: readonly TrainingPair[]): number {
  const { min, max } = TANGO_LIMITS.durationSeconds;
  const longest = Math.max(
    ...pairs.flatMap(({ winner, loser }) =>
      [winner, loser].map(({ audio, sampleRateHz }) => audio.length / sampleRateHz),
    ),
  );
  if (given === undefined) return Math.min(Math.max(longest, min), max);
  if (given >= min && given <= max) return given;
  throw new InvalidInputError(`durationSeconds is a number from ${min} to ${max}, but ${given} came.`);
}
