/** What a preference dataset is made of: types only, the same in the worker, on the page and in files. */

/** 1.1: one prompt, several step counts; 1.2: one prompt, several seeds; 2: perturbed prompts; 3: temporally perturbed. */
export const STRATEGIES = ['1.1', '1.2', '2', '3'] as const;
export type Strategy = (typeof STRATEGIES)[number];

/** A caption of the pool, with the wrong captions that strategies 2 and 3 make the losers from. */
export interface PoolPrompt {
  readonly prompt: string;
  readonly perturbed: readonly string[];
  /** Only of prompts that tell an order (before, after, then, followed). */
  readonly temporal: readonly string[];
}

/** Everything that decides how a clip sounds: two clips with the same one are one clip. */
export interface ClipRecipe {
  readonly prompt: string;
  readonly steps: number;
  readonly guidanceScale: number;
  readonly scheduler: 'ddpm' | 'ddim' | 'dpm-solver++';
  readonly seed: number;
  readonly durationSeconds: number;
}

/** What is told of a clip's samples without hearing it. */
export interface ClipCheck {
  readonly durationSeconds: number;
  /** Largest absolute sample, 0…1. */
  readonly peak: number;
  /** Root of the mean square. */
  readonly rms: number;
  /** Share of the samples at full scale. */
  readonly clippedShare: number;
  /** Hash of the samples: equal for equal sounds. */
  readonly contentHash: string;
}

/** CLAP scores of a clip against the prompt of its group, by the id of the CLAP model. */
export type Scores = Readonly<Record<string, number>>;

export interface ClapModelName {
  readonly id: string;
  readonly name: string;
}

/** A sound that may win or lose. */
export interface Candidate {
  /** Names the stored clip. Several candidates may share one. */
  readonly clipId: string;
  /** How to make it; null for a sound that came from a file. */
  readonly recipe: ClipRecipe | null;
  readonly scores: Scores;
  /** Null until the clip is there. */
  readonly check: ClipCheck | null;
}

/**
 * The sounds that compete for one prompt in one strategy. In strategies 2 and 3, and in datasets from files, the first
 * candidate is the one meant to win; in 1.1 and 1.2 the scores decide.
 */
export interface CandidateGroup {
  readonly id: string;
  readonly prompt: string;
  /** Files may name other strategies than the paper's. */
  readonly strategy: string;
  readonly ranking: 'best-of-all' | 'first-wins' | 'given';
  readonly candidates: readonly Candidate[];
  /** The split that a file named for it. */
  readonly split?: string;
}

/** Two sounds of one prompt with their scores. */
export interface ScoredPair {
  /** Stays the same however the bounds are set, so that votes stay with it. */
  readonly id: string;
  readonly groupId: string;
  readonly prompt: string;
  readonly strategy: string;
  readonly winner: Candidate;
  readonly loser: Candidate;
  /** Winner minus loser, by CLAP model. */
  readonly deltas: Scores;
}
