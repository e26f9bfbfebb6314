import type { ListenerModels, ListenerSummary } from './protocol-helpers';
import type { JobOptions } from './protocol-jobs';

/** What is in a sound, by PANNs: types only. */

export interface PannModelSummary extends ListenerSummary {
  /** The rate it hears at; sounds of others are resampled. */
  readonly sampleRateHz: number;
}

/** A sound of `generate` is one too. */
export interface PannTagRequest {
  /** Mono, −1…1; 0.31 to 60 seconds. */
  readonly audio: Float32Array;
  readonly sampleRateHz: number;
  /** Default: the first of `models()`. */
  readonly modelId?: string;
  /** How many classes, the likeliest first: 1…527; default 5. */
  readonly count?: number;
}

export interface PannTag {
  /** Display name of a class of AudioSet. */
  readonly label: string;
  /** 0…1, of each class by itself: those of several classes do not add up to 1. */
  readonly probability: number;
}

export interface PannsApi extends ListenerModels<PannModelSummary> {
  /**
   * The sound events that PANNs hear, the likeliest first.
   * @throws InvalidInputError; ModelNotFoundError when there is no such model, or none at all; NetworkError when the names
   *   of the classes cannot be fetched
   */
  tag(request: PannTagRequest, options?: JobOptions<never>): Promise<readonly PannTag[]>;
}
