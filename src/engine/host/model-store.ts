import { StorageError } from '../../common/errors';
import { folderFromFiles, type ModelFolder } from '../../weights';
import type { JobOptions, LoadProgress, ModelSummary } from '../protocol';
import type { KeyValueStore, StoreKey } from './key-value-store';

/**
 * Models that a person imported. A file is kept as Blobs of at most 64 MiB, since larger single values have crashed
 * tabs; the record that makes the model exist is written last, so that an import cut off at any point leaves no
 * model, only chunks that the next one sweeps up.
 *
 *     [id, 'file', path, i]  chunk i of a file
 *     [id, 'complete']       ModelRecord
 */
const CHUNK_BYTES = 64 * 2 ** 20;
const SCHEMA_VERSION = 1;

/** A file that is kept: as it is, or written part by part by `write`, which returns what belongs before its parts. */
export type FileToKeep =
  | { readonly path: string; readonly blob: Blob }
  | {
      readonly path: string;
      /** About how many bytes it will have, for the progress. */
      readonly expectedBytes: number;
      readonly write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<Uint8Array<ArrayBuffer>>;
    };

interface StoredFile {
  readonly path: string;
  readonly size: number;
  readonly chunkCount: number;
}

interface ModelRecord {
  readonly schemaVersion: typeof SCHEMA_VERSION;
  readonly summary: ModelSummary;
  readonly files: readonly StoredFile[];
}

export class ModelStore {
  readonly #values: KeyValueStore;

  constructor(values: KeyValueStore) {
    this.#values = values;
  }

  /** @throws StorageError */
  async list(): Promise<readonly ModelSummary[]> {
    const keys = (await this.#values.keys()).filter(([, kind]) => kind === 'complete');
    const records = await Promise.all(keys.map((key) => this.#record(String(key[0]))));
    return records.flatMap((record) => (record ? [record.summary] : []));
  }

  /** The folder and its summary; null when there is no such model. @throws StorageError when chunks are missing */
  async open(id: string): Promise<{ folder: ModelFolder; summary: ModelSummary } | null> {
    const record = await this.#record(id);
    if (!record) return null;
    const files = await Promise.all(
      record.files.map(async (file) => ({ path: file.path, blob: await this.#read(id, file) })),
    );
    return { folder: folderFromFiles(files), summary: record.summary };
  }

  /**
   * Keeps the files under the summary's id.
   * @throws StorageError (nothing is kept then), JobCancelledError by the signal's reason
   */
  async save(
    summary: ModelSummary,
    files: readonly FileToKeep[],
    { finish = (kept) => kept, ...options }: SaveOptions = {},
  ): Promise<ModelSummary> {
    return alone(async () => {
      await this.#sweep();
      try {
        return await this.#write(summary, files, options, finish);
      } catch (error) {
        await this.#sweep().catch(() => {}); // the first error says what happened
        throw error;
      }
    });
  }

  async #write(
    summary: ModelSummary,
    files: readonly FileToKeep[],
    { signal, onProgress }: JobOptions<LoadProgress>,
    finish: (summary: ModelSummary) => ModelSummary,
  ): Promise<ModelSummary> {
    const totalBytes = files.reduce(
      (sum, file) => sum + ('blob' in file ? file.blob.size : file.expectedBytes),
      0,
    );
    let loadedBytes = 0;
    const stored: StoredFile[] = [];
    for (const file of files) {
      const keep = async (index: number, bytes: readonly BlobPart[]): Promise<number> => {
        signal?.throwIfAborted();
        const chunk = new Blob([...bytes]);
        await this.#values.set(chunkKey(summary.id, file.path, index), chunk);
        loadedBytes = Math.min(totalBytes, loadedBytes + chunk.size);
        onProgress?.({ loadedBytes, totalBytes, label: `Keeping ${file.path}` });
        return chunk.size;
      };
      stored.push({
        path: file.path,
        ...('blob' in file ? await copy(file.blob, keep) : await stream(file.write, keep)),
      });
    }
    const finished = finish(summary);
    const record: ModelRecord = { schemaVersion: SCHEMA_VERSION, summary: finished, files: stored };
    await this.#values.set([summary.id, 'complete'], record);
    return finished;
  }

  async has(id: string): Promise<boolean> {
    return (await this.#record(id)) !== null;
  }

  /** Forgets the model; false when there is none. The record goes first: half a model is never seen. */
  async remove(id: string): Promise<boolean> {
    return alone(async () => {
      if (!(await this.has(id))) return false;
      await this.#values.deleteMany([[id, 'complete']]);
      await this.#sweep();
      return true;
    });
  }

  /** Deletes chunks that belong to no complete model. */
  async #sweep(): Promise<void> {
    const keys = await this.#values.keys();
    const complete = new Set(keys.filter(([, kind]) => kind === 'complete').map(([id]) => id));
    const orphans = keys.filter(([id]) => !complete.has(id!));
    if (orphans.length > 0) await this.#values.deleteMany(orphans);
  }

  async #record(id: string): Promise<ModelRecord | null> {
    const value = await this.#values.get([id, 'complete']);
    return isRecord(value) ? value : null;
  }

  async #read(id: string, file: StoredFile): Promise<Blob> {
    const chunks = await Promise.all(
      Array.from({ length: file.chunkCount }, (_, index) => this.#values.get(chunkKey(id, file.path, index))),
    );
    const blob = new Blob(chunks.filter((chunk) => chunk instanceof Blob));
    if (blob.size === file.size) return blob;
    throw new StorageError(
      `The browser has lost a part of the model: ${file.path} has ${blob.size} of ${file.size} bytes. Remove the model and import it again.`,
    );
  }
}

export interface SaveOptions extends JobOptions<LoadProgress> {
  /** Last words on the model, once all its files are written and before it exists. */
  readonly finish?: (summary: ModelSummary) => ModelSummary;
}

/** Keeps chunk `index`; returns its size. */
type KeepChunk = (index: number, bytes: readonly BlobPart[]) => Promise<number>;
type Kept = Omit<StoredFile, 'path'>;

/** The bytes are copied: the file itself may be changed or taken away (a USB stick) while it is being kept. */
async function copy(blob: Blob, keep: KeepChunk): Promise<Kept> {
  const chunkCount = Math.ceil(blob.size / CHUNK_BYTES);
  for (let index = 0; index < chunkCount; index++) {
    await keep(index, [await blob.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES).arrayBuffer()]);
  }
  return { size: blob.size, chunkCount };
}

/** Parts are gathered to chunks; chunk 0 is what belongs before them, and comes last. */
async function stream(
  write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<Uint8Array<ArrayBuffer>>,
  keep: KeepChunk,
): Promise<Kept> {
  let size = 0;
  let index = 1;
  let waiting: Uint8Array<ArrayBuffer>[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    if (waitingBytes === 0) return;
    size += await keep(index++, waiting);
    waiting = [];
    waitingBytes = 0;
  };
  const head = await write(async (bytes) => {
    for (let start = 0; start < bytes.byteLength; ) {
      const end = Math.min(bytes.byteLength, start + CHUNK_BYTES - waitingBytes);
      waiting.push(bytes.slice(start, end));
      waitingBytes += end - start;
      start = end;
      if (waitingBytes === CHUNK_BYTES) await flush();
    }
  });
  await flush();
  size += await keep(0, [head]);
  return { size, chunkCount: index };
}

/** Records of another version are of a newer studio: left alone, and not shown. */
function isRecord(value: unknown): value is ModelRecord {
  return (
    typeof value === 'object' &&
    value !== null &&
    'schemaVersion' in value &&
    value.schemaVersion === SCHEMA_VERSION
  );
}

function chunkKey(id: string, path: string, index: number): StoreKey {
  return [id, 'file', path, index];
}

/** Runs `action` while no other tab writes: the sweep of one would take the other's chunks for orphans. */
function alone<T>(action: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  return locks ? locks.request('tango-studio-model-store', action) : action();
}
