import { InvalidInputError } from '../../common/errors';
import { tagPrompt } from '../prompt-pool/tags';
import {
  type Candidate,
  type CandidateGroup,
  type ClipRecipe,
  type PoolPrompt,
  STRATEGIES,
  type Strategy,
} from '../types';

export interface CandidateSettings {
  readonly strategies: readonly Strategy[];
  /** Step counts of the four clips of strategy 1.1. */
  readonly stepsOfStrategy11: readonly number[];
  /** Clips of strategy 1.2. */
  readonly clipsOfStrategy12: number;
  /** Steps of strategies 1.2, 2 and 3. */
  readonly steps: number;
  readonly guidanceScale: number;
  readonly scheduler: ClipRecipe['scheduler'];
  readonly durationSeconds: number;
  /** 0…2^32−1: every clip's seed comes from it, the prompt's place and the clip's. */
  readonly seed: number;
}

/** The paper's (section 4.1.1), with the sampler that Tango runs by default. */
export const CANDIDATE_DEFAULTS: CandidateSettings = {
  strategies: STRATEGIES,
  stepsOfStrategy11: [5, 25, 50, 100],
  clipsOfStrategy12: 4,
  steps: 50,
  guidanceScale: 3,
  scheduler: 'ddpm',
  durationSeconds: 5.12,
  seed: 0,
};

/** Wrong captions that the paper asks for, of each prompt. */
export const PERTURBATIONS_PER_PROMPT = 5;
/** Clip numbers of a prompt: its own clips begin at 0, those of wrong captions further on. */
const FIRST_PERTURBED = 100;
const FIRST_TEMPORAL = 200;

/** @throws InvalidInputError naming the field */
export function checkCandidateSettings(settings: CandidateSettings): void {
  const { strategies, stepsOfStrategy11, clipsOfStrategy12, steps, guidanceScale, seed, scheduler } =
    settings;
  if (strategies.length === 0 || strategies.some((one) => !STRATEGIES.includes(one))) {
    throw new InvalidInputError(
      `strategies is a list of ${STRATEGIES.join(', ')}, but [${strategies}] came.`,
    );
  }
  const stepCounts = [...stepsOfStrategy11, steps];
  if (stepCounts.some((count) => !Number.isInteger(count) || count < 1 || count > 1000)) {
    throw new InvalidInputError(`Step counts are whole numbers from 1 to 1000, but [${stepCounts}] came.`);
  }
  for (const [name, count] of [
    ['stepsOfStrategy11', stepsOfStrategy11.length],
    ['clipsOfStrategy12', clipsOfStrategy12],
  ] as const) {
    if (!Number.isInteger(count) || count < 2 || count > 16) {
      throw new InvalidInputError(`${name} makes 2 to 16 clips: a winner needs a loser; ${count} came.`);
    }
  }
  if (!(guidanceScale >= 1 && guidanceScale <= 20)) {
    throw new InvalidInputError(`guidanceScale is a number from 1 to 20, but ${guidanceScale} came.`);
  }
  if (!['ddpm', 'ddim', 'dpm-solver++'].includes(scheduler)) {
    throw new InvalidInputError(`scheduler is ddpm, ddim or dpm-solver++, but ${scheduler} came.`);
  }
  if (!(settings.durationSeconds > 0)) {
    throw new InvalidInputError(`durationSeconds is above 0, but ${settings.durationSeconds} came.`);
  }
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new InvalidInputError(`seed is a whole number from 0 to 2^32 − 1, but ${seed} came.`);
  }
}

/**
 * The groups of candidates that the strategies ask for, one prompt after another. Clips that two strategies have in
 * common (50 steps of one seed) are one clip: what 2 and 3 call x_τ is the first clip of 1.2.
 */
export function planCandidates(
  prompts: readonly PoolPrompt[],
  settings: CandidateSettings,
): readonly CandidateGroup[] {
  checkCandidateSettings(settings);
  return prompts.flatMap((entry, index) => planPrompt(entry, index, settings));
}

function planPrompt(entry: PoolPrompt, index: number, settings: CandidateSettings): CandidateGroup[] {
  const { steps, stepsOfStrategy11, clipsOfStrategy12, guidanceScale, scheduler, durationSeconds, seed } =
    settings;
  const clip = (prompt: string, number: number, stepCount: number): Candidate => {
    const recipe = {
      prompt,
      steps: stepCount,
      guidanceScale,
      scheduler,
      seed: seedOf(seed, index, number),
      durationSeconds,
    };
    return { clipId: clipIdOf(recipe), recipe, scores: {}, check: null };
  };
  const own = clip(entry.prompt, 0, steps);
  const wrong = (captions: readonly string[], first: number): Candidate[] => [
    own,
    ...captions.map((caption, k) => clip(caption, first + k, steps)),
  ];
  const { sequence } = tagPrompt(entry.prompt);
  const plans: Record<Strategy, () => readonly Candidate[]> = {
    '1.1': () => stepsOfStrategy11.map((stepCount, k) => clip(entry.prompt, k, stepCount)),
    '1.2': () => Array.from({ length: clipsOfStrategy12 }, (_, k) => clip(entry.prompt, k, steps)),
    '2': () => (entry.perturbed.length > 0 ? wrong(entry.perturbed, FIRST_PERTURBED) : []),
    '3': () => (sequence && entry.temporal.length > 0 ? wrong(entry.temporal, FIRST_TEMPORAL) : []),
  };
  return STRATEGIES.filter((strategy) => settings.strategies.includes(strategy)).flatMap((strategy) => {
    const candidates = plans[strategy]();
    if (candidates.length < 2) return [];
    const ranking = strategy.startsWith('1') ? ('best-of-all' as const) : ('first-wins' as const);
    return [{ id: `${index}-${strategy}`, prompt: entry.prompt, strategy, ranking, candidates }];
  });
}

/** A seed for each clip of each prompt: three numbers through murmur3's finaliser, which leaves no pattern. */
export function seedOf(datasetSeed: number, promptIndex: number, clipNumber: number): number {
  let hash = datasetSeed >>> 0;
  for (const part of [promptIndex, clipNumber]) hash = mix((hash ^ mix(part + 0x9e3779b9)) >>> 0);
  return hash;
}

function mix(value: number): number {
  let hash = value >>> 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The same for the same recipe: 53 bits of its text's hash. */
export function clipIdOf(recipe: ClipRecipe): string {
  const { prompt, steps, guidanceScale, scheduler, seed, durationSeconds } = recipe;
  const text = JSON.stringify([prompt, steps, guidanceScale, scheduler, seed, durationSeconds]);
  let [low, high] = [0xdeadbeef, 0x41c6ce57];
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    low = Math.imul(low ^ code, 2654435761);
    high = Math.imul(high ^ code, 1597334677);
  }
  low = mix(low ^ (high >>> 7));
  high = mix(high ^ (low >>> 9));
  return `${seed.toString(36)}-${low.toString(36)}${high.toString(36)}`;
}

export interface WorkForecast {
  /** Clips that have to be made. */
  readonly clips: number;
  /** Passes of the UNet for them, guided ones counted twice. */
  readonly unetPasses: number;
  /** Bytes of 16-bit WAV. */
  readonly storageBytes: number;
}

/** The work that a plan asks for, each clip once. */
export function forecastWork(groups: readonly CandidateGroup[], sampleRateHz: number): WorkForecast {
  const recipes = new Map<string, ClipRecipe>();
  for (const { candidates } of groups) {
    for (const { clipId, recipe, check } of candidates) if (recipe && !check) recipes.set(clipId, recipe);
  }
  let [unetPasses, storageBytes] = [0, 0];
  for (const { steps, guidanceScale, durationSeconds } of recipes.values()) {
    unetPasses += steps * (guidanceScale > 1 ? 2 : 1);
    storageBytes += 44 + 2 * Math.round(durationSeconds * sampleRateHz);
  }
  return { clips: recipes.size, unetPasses, storageBytes };
}
