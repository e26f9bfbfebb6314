import type { ListenerModels, ListenerSummary } from './protocol-helpers';
import type { JobOptions } from './protocol-jobs';

/** How well sounds fit captions, by CLAP: types only. */

export interface ClapModelSummary extends ListenerSummary {
  /** Width of its embeddings. */
  readonly projectionDim: number;
}

/** A sound as CLAP takes it: any rate, any length; more than the model's ten seconds are cropped at a seeded place. */
export interface ClapClip {
  /** Mono, −1…1. */
  readonly audio: Float32Array;
  readonly sampleRateHz: number;
}

export interface ClapItem extends ClapClip {
  readonly prompt: string;
}

export interface ClapScoreRequest {
  readonly items: readonly ClapItem[];
  /** CLAP models to ask; default: every one that is installed. */
  readonly modelIds?: readonly string[];
  /** 0…2^32−1; default 0. Decides where sounds that are too long are cropped, together with the item's place. */
  readonly seed?: number;
}

/** What one CLAP says of one sound and its prompt. */
export interface ClapScore {
  readonly modelId: string;
  readonly modelName: string;
  /** Cosine of the two embeddings, −1…1. Scales of two models are not comparable. */
  readonly score: number;
}

export interface ClapTextRequest {
  readonly prompts: readonly string[];
  /** Default: the first of `models()`. */
  readonly modelId?: string;
}

export interface ClapAudioRequest {
  readonly clips: readonly ClapClip[];
  /** Default: the first of `models()`. */
  readonly modelId?: string;
  /** As in `ClapScoreRequest`. */
  readonly seed?: number;
}

export interface ClapProgress {
  /** Items that are done, over all models. */
  readonly index: number;
  readonly count: number;
}

export interface ClapEmbeddings {
  readonly modelId: string;
  readonly modelName: string;
  /** One [projectionDim] of length 1 for each input, in its order. */
  readonly embeddings: readonly Float32Array[];
}

/** `importFiles` takes a transformers folder (`ClapModel`), or LAION's .pt with RoBERTa's tokenizer.json. */
export interface ClapApi extends ListenerModels<ClapModelSummary> {
  /**
   * For each item the scores of each model, in the order of `modelIds` (default: of `models()`).
   * @throws InvalidInputError; ModelNotFoundError when there is no such CLAP, or none at all
   */
  score(
    request: ClapScoreRequest,
    options?: JobOptions<ClapProgress>,
  ): Promise<readonly (readonly ClapScore[])[]>;
  embedText(request: ClapTextRequest, options?: JobOptions<ClapProgress>): Promise<ClapEmbeddings>;
  embedAudio(request: ClapAudioRequest, options?: JobOptions<ClapProgress>): Promise<ClapEmbeddings>;
}
