import { InvalidInputError } from '../../common/errors';
import { TANGO_LIMITS } from '../../diffusion/pipelines/tango-request';
import {
  ATTENTION_TARGETS,
  CONVOLUTION_TARGETS,
  FEED_FORWARD_TARGETS,
} from '../../training/lora/lora-config';
import { checkTrainingRecipe, type TrainingRecipe } from '../../training/training-recipe';
import { TRAIN_DEFAULTS } from '../protocol-limits';
import type { TrainingPair, TrainRequest, TrainSettings, TrainTargets } from '../protocol-training';
import { clipProblem, isTie } from '../training-clips';
import { resolveRequest } from './resolve-request';

/** Each is made anew every few steps. */
const MOST_SAMPLE_PROMPTS = 8;

const TARGETS: Readonly<Record<TrainTargets, readonly string[]>> = {
  attention: ATTENTION_TARGETS,
  'attention-and-feed-forward': [...ATTENTION_TARGETS, ...FEED_FORWARD_TARGETS],
  'attention-and-convolutions': [...ATTENTION_TARGETS, ...CONVOLUTION_TARGETS],
  'attention-feed-forward-and-convolutions': [
    ...ATTENTION_TARGETS,
    ...FEED_FORWARD_TARGETS,
    ...CONVOLUTION_TARGETS,
  ],
};

/** Fills in the defaults. @throws InvalidInputError naming the field, its range and what came */
export function resolveSettings(request: TrainRequest): TrainSettings {
  const fields = Object.keys(TRAIN_DEFAULTS) as (keyof TrainSettings)[];
  const given = fields.filter((field) => request[field] !== undefined);
  const settings = {
    ...TRAIN_DEFAULTS,
    ...Object.fromEntries(given.map((field) => [field, request[field]])),
  } as TrainSettings;
  for (const field of ['checkpointEverySteps', 'validateEverySteps', 'sampleEverySteps'] as const) {
    const every = settings[field];
    if (Number.isInteger(every) && every >= 1) continue;
    throw new InvalidInputError(`${field} is a whole number of at least 1, but ${every} came.`);
  }
  const { samplePrompts, sampleSeed } = settings;
  if (!Array.isArray(samplePrompts) || samplePrompts.length > MOST_SAMPLE_PROMPTS) {
    throw new InvalidInputError(`samplePrompts is a list of at most ${MOST_SAMPLE_PROMPTS} prompts.`);
  }
  for (const prompt of samplePrompts) resolveRequest({ prompt, seed: sampleSeed }, '');
  checkTrainingRecipe(recipeOf(settings));
  return settings;
}

/** @throws InvalidInputError when the targets are unknown */
export function recipeOf({ rank, alpha, targets, ...settings }: TrainSettings): TrainingRecipe {
  if (!Object.hasOwn(TARGETS, targets)) {
    throw new InvalidInputError(
      `targets is ${Object.keys(TARGETS)
        .map((name) => `"${name}"`)
        .join(' or ')}, but ${String(targets)} came.`,
    );
  }
  const targetModules = TARGETS[targets];
  return { ...settings, lora: { rank, alpha, targetModules } };
}

/** The pairs with an id each. @throws InvalidInputError naming the pair */
export function checkPairs(pairs: unknown): readonly Required<TrainingPair>[] {
  if (!Array.isArray(pairs) || pairs.length === 0) {
    throw new InvalidInputError(
      'A run needs a list of at least one pair { prompt, winner, loser }, but none came. If votes and bounds of a dataset left none (ties make no pair), widen the bounds or vote on more pairs.',
    );
  }
  if (pairs.length === 1) {
    throw new InvalidInputError(
      'One pair teaches a model that one pair and nothing else: a run needs two at least, and better a hundred.',
    );
  }
  return (pairs as readonly TrainingPair[]).map((pair, i) => {
    const id = pair?.id ?? String(i + 1);
    if (typeof pair?.prompt !== 'string' || pair.prompt.trim() === '') {
      throw new InvalidInputError(`The pair "${id}" needs a prompt that is not empty.`);
    }
    const { winner, loser } = pair;
    for (const [what, clip] of Object.entries({ winner, loser })) {
      const problem = clipProblem(clip);
      if (problem) throw new InvalidInputError(`The ${what} of the pair "${id}" ${problem}.`);
    }
    if (isTie(pair)) {
      throw new InvalidInputError(
        `The pair "${id}" is a tie: winner and loser are the same sound. Leave it out.`,
      );
    }
    return { ...pair, id };
  });
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
