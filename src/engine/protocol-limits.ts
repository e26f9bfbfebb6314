import type { ResolvedGenerateRequest } from './protocol';

/** What a request may ask for; the duration is bounded by the model besides. The page shows the same bounds. */
export const GENERATE_LIMITS = {
  /** A caption is a sentence or two; the text encoder's cost grows with the square of its length. */
  promptLength: 2000,
  steps: { min: 1, max: 1000 },
  guidanceScale: { min: 1, max: 20 },
  seed: { min: 0, max: 2 ** 32 - 1 },
  count: { min: 1, max: 4 },
} as const;

/** What a request that leaves a field out gets; a seed left out is drawn at random. */
export const GENERATE_DEFAULTS = {
  negativePrompt: '',
  steps: 20,
  guidanceScale: 3,
  scheduler: 'dpm-solver++',
  durationSeconds: 5.12,
  count: 1,
} as const satisfies Partial<ResolvedGenerateRequest>;

export const SCHEDULER_NAMES = ['ddpm', 'ddim', 'dpm-solver++'] as const;

/** Id of the model that comes with the studio. */
export const BUNDLED_MODEL_ID = 'default';
