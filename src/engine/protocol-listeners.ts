import type { HubOrigin, ModelCheck } from './protocol-hub';
import type { JobOptions, ModelFile } from './protocol-jobs';

/** Models that hear sounds (CLAPs, PANNs) as they are kept: types only. */

export interface ListenerSummary {
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
  /** Of its matrices and kernels; absent in models kept long ago. */
  readonly precision?: 'float16' | 'float32' | 'mixed';
  readonly bytes: number;
  readonly parameterCount: number;
}

export interface ListenerModels<S extends ListenerSummary> {
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
  /** Frees its memory; it is loaded again when it is next asked. */
  unload(id: string): Promise<void>;
  /** @throws InvalidInputError for a bundled one, ModelNotFoundError */
  remove(id: string): Promise<void>;
}
