/** What every long call of the engine takes, and the files that go in and out: types only. */

export interface JobOptions<P> {
  readonly onProgress?: (progress: P) => void;
  readonly signal?: AbortSignal;
}

/** A file of a model folder; `path` is relative to the folder (`unet/config.json`). */
export interface ModelFile {
  readonly path: string;
  readonly blob: Blob;
}
