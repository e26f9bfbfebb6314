import type { ResolvedGenerateRequest } from './protocol';
import type { TrainSettings } from './protocol-training';

/** What a request may ask for; the duration is bounded by the model besides. The page shows the same bounds. */
export const GENERATE_LIMITS = {
  /** A caption is a sentence or two; the text encoder's cost grows with the square of its length. */
  promptLength: 2000,
  steps: { min: 1, max: 1000 },
  guidanceScale: { min: 1, max: 20 },
  seed: { min: 0, max: 2 ** 32 - 1 },
  count: { min: 1, max: 4 },
  adapterStrength: { min: 0, max: 2 },
  /** Adapters at a time. */
  adapters: 8,
} as const;

export const BENCHMARK_LIMITS = { runs: { min: 1, max: 50 } } as const;
export const BENCHMARK_DEFAULTS = { runs: 3, durationSeconds: 5.12 } as const;

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

/** The preset for a small model: LoRA on every attention, one supervised epoch and four of DPO as in the paper. */
export const TRAIN_DEFAULTS: TrainSettings = {
  trains: 'lora',
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
  heldOutShare: 0.1,
  validateEverySteps: 10,
  samplePrompts: [],
  sampleEverySteps: 20,
  sampleSeed: 1,
  emaDecay: 0,
  recompute: false,
  seed: 0,
  checkpointEverySteps: 10,
};

/** CLAP models that come with the studio, in the order in which their scores are shown. */
export const BUNDLED_CLAP_IDS = ['default-clap-1', 'default-clap-2'] as const;
