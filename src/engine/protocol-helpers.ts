import type { HubOrigin, ModelCheck } from './protocol-hub';
import type { JobOptions, ModelFile } from './protocol-jobs';

/** Models that help beside the one that makes sounds (CLAPs, PANNs, sentence embedders) as they are kept: types only. */

export interface HelperSummary {
  readonly id: string;
  readonly name: string;
  readonly source: 'bundled' | 'imported';
  /** Where it was downloaded from; absent: it came from files, or was kept long ago. */
  readonly origin?: HubOrigin;
  /** `broken`: the browser has lost a part of it, or it did not pass `verify`. */
  readonly state?: 'broken';
  /** It is in the backend's memory now; absent: it is not. */
  readonly loaded?: true;
  readonly description: string;
  readonly license: string | null;
  readonly bytes: number;
}

/** One that hears sounds, on the studio's own kernels: a CLAP, PANNs. */
export interface ListenerSummary extends HelperSummary {
  /** Of its matrices and kernels; absent in models kept long ago. */
  readonly precision?: 'float16' | 'float32' | 'mixed';
  readonly parameterCount: number;
}

export interface HelperModels<S extends HelperSummary> {
  /** Those that come with the studio first. */
  models(): Promise<readonly S[]>;
  /** Checks the files, then keeps the model; nothing is kept when anything is wrong. */
  importFiles(
    files: readonly ModelFile[],
    options?: JobOptions<{
      readonly loadedBytes: number;
      readonly totalBytes: number;
      readonly label: string;
    }>,
  ): Promise<S>;
  /**
   * Reads every byte of a kept one and compares its hashes.
   * @throws InvalidInputError for a bundled one, ModelNotFoundError
   */
  verify(
    id: string,
    options?: JobOptions<{
      readonly loadedBytes: number;
      readonly totalBytes: number;
      readonly label: string;
    }>,
  ): Promise<ModelCheck>;
  /** @throws InvalidInputError for a bundled one, ModelNotFoundError */
  remove(id: string): Promise<void>;
}

/** A listener stays in memory between two questions. */
export interface ListenerModels<S extends ListenerSummary> extends HelperModels<S> {
  /** Frees its memory; it is loaded again when it is next asked. */
  unload(id: string): Promise<void>;
}
