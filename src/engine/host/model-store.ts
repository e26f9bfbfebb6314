import { StorageError } from '../../common/errors';
import { releaseBuffer } from '../../common/release-buffer';
import { folderFromFiles, type ModelFolder } from '../../weights';
import type { JobOptions, LoadProgress, ModelSummary } from '../protocol';
import { sha256 } from './fingerprint';
import type { KeyValueStore, StoreKey } from './key-value-store';

/**
 * Models that a person imported. A file is kept as Blobs of at most 64 MiB, since larger single values have crashed
 * tabs, each with its SHA-256; the record that makes the model exist, with all hashes again, is written last. So an
 * import cut off at any point leaves no model, only chunks that the next one sweeps up.
 *
 *     [id, 'file', path, i]  StoredChunk i of a file
 *     [id, 'complete']       ModelRecord
 *
 * Version 1 kept bare Blobs without hashes: they are read as they are, and `verify` brings them to version 2.
 */
const CHUNK_BYTES = 64 * 2 ** 20;
const SCHEMA_VERSION = 2;

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
  /** SHA-256 of each chunk; absent in records of version 1. */
  readonly hashes?: readonly string[];
}

interface ModelRecord<S> {
  readonly schemaVersion: number;
  readonly summary: S;
  readonly files: readonly StoredFile[];
}

/** @typeParam S what is told of a model without opening it */
export class ModelStore<S extends { readonly id: string; readonly name: string } = ModelSummary> {
  readonly #values: KeyValueStore;

  constructor(values: KeyValueStore) {
    this.#values = values;
  }

  get values(): KeyValueStore {
    return this.#values;
  }

  /** Each with whether all its chunks are there; those of a newer studio are left out. @throws StorageError */
  async list(): Promise<readonly S[]> {
    const keys = await this.#values.keys();
    const present = new Set(keys.map((key) => JSON.stringify(key)));
    const records = await this.#records(keys);
    return records.filter(isReadable).map(({ summary, files = [] }) => {
      const whole = files.every(({ path, chunkCount }) =>
        Array.from({ length: chunkCount }, (_, i) => chunkKey(summary.id, path, i)).every((key) =>
          present.has(JSON.stringify(key)),
        ),
      );
      return whole ? summary : { ...summary, state: 'broken' };
    });
  }

  /** Names of models that a newer studio kept, which this one cannot read. */
  async unreadable(): Promise<readonly string[]> {
    const records = await this.#records(await this.#values.keys());
    return records.filter((record) => !isReadable(record)).map(({ summary }) => summary.name);
  }

  /**
   * The folder and its summary; null when there is no such model.
   * @throws StorageError when chunks are missing, or when a newer studio kept it
   */
  async open(id: string): Promise<{ folder: ModelFolder; summary: S } | null> {
    const record = await this.#record(id);
    if (!record) return null;
    if (!isReadable(record)) throw newer(record);
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
    summary: S,
    files: readonly FileToKeep[],
    { finish = (kept) => kept, ...options }: SaveOptions<S> = {},
  ): Promise<S> {
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
    summary: S,
    files: readonly FileToKeep[],
    { signal, onProgress }: JobOptions<LoadProgress>,
    finish: (summary: S) => S,
  ): Promise<S> {
    const totalBytes = files.reduce(
      (sum, file) => sum + ('blob' in file ? file.blob.size : file.expectedBytes),
      0,
    );
    let loadedBytes = 0;
    const stored: StoredFile[] = [];
    for (const file of files) {
      const keep = async (index: number, bytes: readonly BlobPart[]): Promise<StoredChunk> => {
        signal?.throwIfAborted();
        const chunk = await storedChunk(new Blob([...bytes]));
        await this.#values.set(chunkKey(summary.id, file.path, index), chunk);
        loadedBytes = Math.min(totalBytes, loadedBytes + chunk.blob.size);
        onProgress?.({ loadedBytes, totalBytes, label: `Keeping ${file.path}` });
        return chunk;
      };
      stored.push({
        path: file.path,
        ...('blob' in file ? await copy(file.blob, keep) : await stream(file.write, keep)),
      });
    }
    const finished = finish(summary);
    const record: ModelRecord<S> = { schemaVersion: SCHEMA_VERSION, summary: finished, files: stored };
    await this.#values.set([summary.id, 'complete'], record);
    return finished;
  }

  async has(id: string): Promise<boolean> {
    return (await this.#record(id)) !== null;
  }

  /**
   * Reads every byte of the model and compares its hashes.
   * @returns paths of files that are damaged or have lost a part; null when there is no such model
   * @throws StorageError when a newer studio kept it
   */
  async verify(
    id: string,
    { signal, onProgress }: JobOptions<LoadProgress> = {},
  ): Promise<readonly string[] | null> {
    const record = await this.#record(id);
    if (!record) return null;
    if (!isReadable(record)) throw newer(record);
    const totalBytes = record.files.reduce((sum, { size }) => sum + size, 0);
    let loadedBytes = 0;
    const damaged: string[] = [];
    const files: StoredFile[] = [];
    for (const file of record.files) {
      const hashes: string[] = [];
      let size = 0;
      for (let index = 0; index < file.chunkCount; index++) {
        signal?.throwIfAborted();
        const chunk = readChunk(await this.#values.get(chunkKey(id, file.path, index)));
        // A Blob whose bytes are gone from the disk rejects: that is damage too, not an error of the check.
        const bytes = await chunk?.blob.arrayBuffer().catch(() => null);
        hashes.push(bytes ? await sha256(bytes) : '');
        size += bytes?.byteLength ?? 0;
        loadedBytes += bytes?.byteLength ?? 0;
        if (bytes) releaseBuffer(bytes);
        onProgress?.({ loadedBytes, totalBytes, label: `Checking ${file.path}` });
      }
      const same = file.hashes?.every((hash, index) => hash === hashes[index]) ?? !hashes.includes('');
      if (!same || size !== file.size) damaged.push(file.path);
      files.push({ ...file, hashes });
    }
    if (record.schemaVersion < SCHEMA_VERSION && damaged.length === 0) {
      await this.#values.set([id, 'complete'], { ...record, schemaVersion: SCHEMA_VERSION, files });
    }
    return damaged;
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

  /** Deletes chunks that belong to no complete model and to no download. */
  async #sweep(): Promise<void> {
    const keys = await this.#values.keys();
    const owners = new Set(
      keys.filter(([, kind]) => kind === 'complete' || kind === 'download').map(([id]) => id),
    );
    const orphans = keys.filter(([id]) => !owners.has(id!));
    if (orphans.length > 0) await this.#values.deleteMany(orphans);
  }

  async #record(id: string): Promise<ModelRecord<S> | null> {
    const value = await this.#values.get([id, 'complete']);
    return isRecord<S>(value) ? value : null;
  }

  async #records(keys: readonly StoreKey[]): Promise<readonly ModelRecord<S>[]> {
    const ids = keys.filter(([, kind]) => kind === 'complete').map(([id]) => String(id));
    return (await Promise.all(ids.map((id) => this.#record(id)))).filter((record) => record !== null);
  }

  async #read(id: string, file: StoredFile): Promise<Blob> {
    const chunks = await Promise.all(
      Array.from({ length: file.chunkCount }, async (_, index) =>
        readChunk(await this.#values.get(chunkKey(id, file.path, index))),
      ),
    );
    const whole = chunks.filter(
      (chunk, index) => chunk && (!file.hashes || chunk.sha256 === file.hashes[index]),
    );
    const blob = new Blob(whole.flatMap((chunk) => (chunk ? [chunk.blob] : [])));
    if (blob.size === file.size) return blob;
    throw new StorageError(
      `The browser has lost a part of the model: ${file.path} has ${blob.size} of ${file.size} bytes. Remove the model and import it again.`,
    );
  }
}

export interface SaveOptions<S> extends JobOptions<LoadProgress> {
  /** Last words on the model, once all its files are written and before it exists. */
  readonly finish?: (summary: S) => S;
}

/** A part of a file with the hash of its bytes. */
export interface StoredChunk {
  readonly blob: Blob;
  readonly sha256: string;
}

/** Hashes a chunk on its way to storage. */
export async function storedChunk(blob: Blob): Promise<StoredChunk> {
  const bytes = await blob.arrayBuffer();
  const hash = await sha256(bytes);
  releaseBuffer(bytes);
  return { blob, sha256: hash };
}

/** A chunk as it was kept; version 1 kept bare Blobs. */
export function readChunk(value: unknown): { readonly blob: Blob; readonly sha256: string | null } | null {
  if (value instanceof Blob) return { blob: value, sha256: null };
  if (typeof value !== 'object' || value === null || !('blob' in value) || !('sha256' in value)) return null;
  const { blob, sha256: hash } = value;
  return blob instanceof Blob && typeof hash === 'string' ? { blob, sha256: hash } : null;
}

/** Keeps chunk `index`. */
type KeepChunk = (index: number, bytes: readonly BlobPart[]) => Promise<StoredChunk>;
type Kept = Omit<StoredFile, 'path'>;

/** The bytes are copied: the file itself may be changed or taken away (a USB stick) while it is being kept. */
async function copy(blob: Blob, keep: KeepChunk): Promise<Kept> {
  const chunkCount = Math.ceil(blob.size / CHUNK_BYTES);
  const hashes: string[] = [];
  for (let index = 0; index < chunkCount; index++) {
    const bytes = await blob.slice(index * CHUNK_BYTES, (index + 1) * CHUNK_BYTES).arrayBuffer();
    hashes.push((await keep(index, [bytes])).sha256);
    releaseBuffer(bytes);
  }
  return { size: blob.size, chunkCount, hashes };
}

/** Parts are gathered to chunks; chunk 0 is what belongs before them, and comes last. */
async function stream(
  write: (put: (bytes: Uint8Array) => Promise<void>) => Promise<Uint8Array<ArrayBuffer>>,
  keep: KeepChunk,
): Promise<Kept> {
  let size = 0;
  const hashes: string[] = [''];
  let waiting: Uint8Array<ArrayBuffer>[] = [];
  let waitingBytes = 0;
  const flush = async (): Promise<void> => {
    if (waitingBytes === 0) return;
    const chunk = await keep(hashes.length, waiting);
    size += chunk.blob.size;
    hashes.push(chunk.sha256);
    for (const part of waiting) releaseBuffer(part); // the Blob has its own
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
  const first = await keep(0, [head]);
  hashes[0] = first.sha256;
  return { size: size + first.blob.size, chunkCount: hashes.length, hashes };
}

function isRecord<S>(value: unknown): value is ModelRecord<S> {
  return (
    typeof value === 'object' &&
    value !== null &&
    'schemaVersion' in value &&
    typeof value.schemaVersion === 'number' &&
    'summary' in value
  );
}

function isReadable({ schemaVersion }: ModelRecord<unknown>): boolean {
  return schemaVersion >= 1 && schemaVersion <= SCHEMA_VERSION;
}

function newer({ schemaVersion, summary }: ModelRecord<{ readonly name: string }>): StorageError {
  return new StorageError(
    `"${summary.name}" was kept by a newer version of the studio (format ${schemaVersion}, this one reads ${SCHEMA_VERSION}). Reload the page to get the newest studio.`,
  );
}

export function chunkKey(id: string, path: string, index: number): StoreKey {
  return [id, 'file', path, index];
}

/** Runs `action` while no other tab writes: the sweep of one would take the other's chunks for orphans. */
function alone<T>(action: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks;
  return locks ? locks.request('tango-studio-model-store', action) : action();
}
