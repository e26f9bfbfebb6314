import { createSHA256 } from 'hash-wasm';
import { required } from '../../common/assert';
import { InvalidInputError, NetworkError, StorageError } from '../../common/errors';
import {
  downloadChunks,
  FileChangedError,
  type HubAccess,
  type HubFile,
  hubAccess,
  openHubRepository,
  resolveUrl,
} from '../../weights/hub';
import type { JobOptions, LoadProgress, ModelFile } from '../protocol';
import type { HubPlan, HubSource } from '../protocol-hub';
import { FLOAT32_PARAMETERS } from './convert-model';
import { chooseFiles } from './hub-files';
import type { KeyValueStore, StoreKey } from './key-value-store';
import { LISTENER_FLOAT32_PARAMETERS } from './listener-library';
import { chunkKey, readChunk, storedChunk } from './model-store';
import { onnxMemoryBytes, onnxNote } from './sentence-files';

/**
 * Downloads that were begun, in the storage of the models. A chunk is kept when all its bytes are here, so the keys tell
 * how far a download is, whatever ended it.
 *
 *     [id, 'download']       DownloadRecord, written first
 *     [id, 'file', path, i]  StoredChunk
 *     [id, 'etag', path]     string: ETag of the file's first answer
 */
/** Small enough that four of them in flight are no burden, large enough to be written quickly. */
const CHUNK_BYTES = 16 * 2 ** 20;
const SCHEMA_VERSION = 1;

interface DownloadFile extends HubFile {
  readonly repo: string;
  readonly commit: string;
}

interface DownloadRecord {
  readonly schemaVersion: number;
  readonly plan: Omit<HubPlan, 'loadedBytes'>;
  readonly files: readonly DownloadFile[];
}

export interface Downloaded {
  readonly plan: HubPlan;
  readonly files: readonly ModelFile[];
}

export class HubDownloads {
  readonly #values: KeyValueStore;
  readonly #accessTo: typeof hubAccess;
  readonly #chunkBytes: number;

  /** @param chunkBytes the same for as long as the storage lives */
  constructor(values: KeyValueStore, accessTo: typeof hubAccess = hubAccess, chunkBytes = CHUNK_BYTES) {
    this.#values = values;
    this.#accessTo = accessTo;
    this.#chunkBytes = chunkBytes;
  }

  /**
   * What a download takes. Nothing of the model itself is fetched.
   * @throws InvalidInputError, NetworkError
   */
  async inspect(source: HubSource, signal?: AbortSignal): Promise<HubPlan> {
    const { plan, files } = await this.#plan(source, signal);
    return { ...plan, loadedBytes: await this.#loadedBytes(plan.id, files) };
  }

  /** Downloads that were begun and are no models yet. @throws StorageError */
  async list(): Promise<readonly HubPlan[]> {
    const keys = (await this.#values.keys()).filter(([, kind]) => kind === 'download');
    const records = await Promise.all(keys.map(([id]) => this.#record(String(id))));
    const readable = records.filter((record) => record?.schemaVersion === SCHEMA_VERSION);
    return Promise.all(
      readable.map(async (record) => ({
        ...record!.plan,
        loadedBytes: await this.#loadedBytes(record!.plan.id, record!.files),
      })),
    );
  }

  /**
   * Fetches what is missing of a repository's files, and checks every file against the hash that the hub lists.
   * Ended at any point, by whatever, it goes on there the next time.
   *
   * @throws InvalidInputError when another tab downloads it, NetworkError, StorageError, the signal's reason
   */
  async fetch(source: HubSource, options: JobOptions<LoadProgress> = {}): Promise<Downloaded> {
    const { plan, files, access } = await this.#plan(source, options.signal);
    return this.#alone(plan.id, async () => {
      const record: DownloadRecord = { schemaVersion: SCHEMA_VERSION, plan, files };
      await this.#values.set([plan.id, 'download'], record);
      const report = progressReporter(plan.totalBytes, options);
      const found: ModelFile[] = [];
      for (const file of files) {
        found.push({
          path: file.path,
          blob: await this.#file(plan.id, file, access, report, options.signal),
        });
      }
      return { plan: { ...plan, loadedBytes: plan.totalBytes }, files: found };
    });
  }

  /** Forgets a download; false when there is none. */
  async remove(id: string): Promise<boolean> {
    if ((await this.#values.get([id, 'download'])) === undefined) return false;
    return this.#alone(id, async () => {
      await this.#values.deleteMany((await this.#values.keys()).filter(([owner]) => owner === id));
      return true;
    });
  }

  async #plan(source: HubSource, signal: AbortSignal | undefined) {
    if (typeof source?.repo !== 'string') {
      throw new InvalidInputError('A download needs { repo: "owner/name" }, and none came.');
    }
    const access = this.#accessTo(source.hubUrl, source.token);
    const found = await openHubRepository(access, source.repo.trim(), source.revision || 'main', signal);
    const { repo, commit, license } = found;
    const chosen = chooseFiles(found);
    const files: DownloadFile[] = chosen.files.map((file) => ({ ...file, repo, commit }));
    const notes: string[] = [];
    if (chosen.elsewhere) {
      const other = await openHubRepository(access, chosen.elsewhere.repo, 'main', signal);
      const wanted = other.files.filter(({ path }) => chosen.elsewhere?.paths.includes(path));
      files.push(...wanted.map((file) => ({ ...file, repo: other.repo, commit: other.commit })));
      notes.push(
        `${wanted.map(({ path }) => path).join(' and ')} come from ${other.repo} (${other.license ?? 'licence not given'}): the repository itself has no tokenizer.`,
      );
    }
    const totalBytes = files.reduce((sum, { size }) => sum + size, 0);
    const { memoryBytes, note } = costOf(chosen.kind, totalBytes, files);
    if (note) notes.push(note);
    if (chosen.kind === 'pann' && files.some(({ path }) => path.endsWith('.pth'))) {
      notes.push(
        'A .pth file of torch before 1.6 is not read as it is: the import then says the command that helps.',
      );
    }
    const plan: Omit<HubPlan, 'loadedBytes'> = {
      id: `download:${new URL(access.hubUrl).host}/${repo}@${commit}`,
      kind: chosen.kind,
      hubUrl: access.hubUrl,
      repo,
      commit,
      license,
      files: files.map((file) => ({ path: file.path, size: file.size, repo: file.repo })),
      totalBytes,
      memoryBytes,
      notes,
    };
    return { plan, files, access };
  }

  /** A file, whole and checked. */
  async #file(
    id: string,
    file: DownloadFile,
    access: HubAccess,
    report: (label: string, count: number) => void,
    signal: AbortSignal | undefined,
  ): Promise<Blob> {
    const label = `Downloading ${file.path}`;
    for (let attempt = 1; ; attempt++) {
      const held = await this.#held(id, file);
      const heldBytes = this.#bytesOf(file, held);
      let came = 0;
      report(label, heldBytes);
      try {
        await downloadChunks(
          access,
          {
            url: resolveUrl(access, file.repo, file.commit, file.path),
            size: file.size,
            chunkBytes: this.#chunkBytes,
            etag: held.size > 0 ? await this.#etag(id, file.path) : null,
          },
          {
            held,
            keep: async (index, bytes) =>
              this.#values.set(chunkKey(id, file.path, index), await storedChunk(new Blob([bytes]))),
            onEtag: (etag) => this.#values.set([id, 'etag', file.path], etag),
            onBytes: (count) => {
              came += count;
              report(label, count);
            },
            signal,
          },
        );
      } catch (error) {
        if (!(error instanceof FileChangedError)) throw error;
        await this.#forget(id, file.path);
        // One more try from its beginning: the two answers may have come of two servers' copies.
        if (attempt === 2) throw error;
        report(label, -heldBytes - came);
        continue;
      }
      const blob = await this.#blob(id, file);
      const wrong = await mismatch(blob, file, signal);
      if (wrong === null) return blob;
      await this.#forget(id, file.path);
      throw new NetworkError(
        `${file.path} of ${file.repo} came with all its ${file.size} bytes, but ${wrong}. It was thrown away: download it again.`,
      );
    }
  }

  async #blob(id: string, file: DownloadFile): Promise<Blob> {
    const chunks: Blob[] = [];
    for (let index = 0; index * this.#chunkBytes < file.size; index++) {
      const chunk = readChunk(await this.#values.get(chunkKey(id, file.path, index)));
      if (!chunk) throw lost(file);
      chunks.push(chunk.blob);
    }
    const blob = new Blob(chunks);
    if (blob.size !== file.size) throw lost(file);
    return blob;
  }

  async #held(id: string, file: DownloadFile): Promise<ReadonlySet<number>> {
    const mine = (await this.#values.keys()).filter(
      ([owner, kind, path]) => owner === id && kind === 'file' && path === file.path,
    );
    return new Set(mine.map(([, , , index]) => Number(index)));
  }

  async #etag(id: string, path: string): Promise<string | null> {
    const etag = await this.#values.get([id, 'etag', path]);
    return typeof etag === 'string' ? etag : null;
  }

  async #forget(id: string, path: string): Promise<void> {
    const keys = await this.#values.keys();
    await this.#values.deleteMany(
      keys.filter(([owner, kind, of]) => owner === id && kind !== 'download' && of === path),
    );
  }

  async #loadedBytes(id: string, files: readonly DownloadFile[]): Promise<number> {
    const held = await Promise.all(
      files.map(async (file) => this.#bytesOf(file, await this.#held(id, file))),
    );
    return held.reduce((sum, bytes) => sum + bytes, 0);
  }

  #bytesOf(file: DownloadFile, held: ReadonlySet<number>): number {
    const size = (index: number): number => Math.min(this.#chunkBytes, file.size - index * this.#chunkBytes);
    return [...held].reduce((sum, index) => sum + size(index), 0);
  }

  async #record(id: string): Promise<DownloadRecord | null> {
    return (
      ((await this.#values.get([id, 'download'] satisfies StoreKey)) as DownloadRecord | undefined) ?? null
    );
  }

  /** @throws InvalidInputError when another tab writes this download */
  async #alone<T>(id: string, work: () => Promise<T>): Promise<T> {
    const locks = globalThis.navigator?.locks;
    if (!locks) return work();
    return locks.request(`tango-studio-${id}`, { ifAvailable: true }, (lock) => {
      if (lock) return work();
      throw new InvalidInputError(
        'Another tab of the studio is downloading this model. Wait until it is there, or stop it in that tab.',
      );
    });
  }
}

/** What a kind of model takes in memory, and what becomes of its files on the way. */
function costOf(
  kind: HubPlan['kind'],
  totalBytes: number,
  files: readonly DownloadFile[],
): { readonly memoryBytes: number; readonly note: string | null } {
  if (kind === 'sentence-embeddings') {
    const onnx = required(
      files.find(({ path }) => path.endsWith('.onnx')),
      'an ONNX file in the plan',
    );
    return { memoryBytes: onnxMemoryBytes(onnx.size), note: onnxNote(onnx.path) };
  }
  const kept = kind === 'text-to-audio' ? FLOAT32_PARAMETERS : LISTENER_FLOAT32_PARAMETERS;
  if (totalBytes <= kept * 4) return { memoryBytes: totalBytes, note: null };
  return {
    memoryBytes: totalBytes / 2,
    note: 'float32 weights become float16 while the model is kept: half the size.',
  };
}

function progressReporter(totalBytes: number, { onProgress }: JobOptions<LoadProgress>) {
  let loadedBytes = 0;
  return (label: string, count: number): void => {
    loadedBytes += count;
    onProgress?.({ loadedBytes, totalBytes, label });
  };
}

/** How the content differs from what the hub lists; null when it does not, or when nothing is listed. */
async function mismatch(
  blob: Blob,
  { sha256, gitOid }: DownloadFile,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  if (sha256 !== null) {
    const hasher = await createSHA256();
    for (let start = 0; start < blob.size; start += CHUNK_BYTES) {
      signal?.throwIfAborted();
      hasher.update(new Uint8Array(await blob.slice(start, start + CHUNK_BYTES).arrayBuffer()));
    }
    const came = hasher.digest('hex');
    return came === sha256 ? null : `its SHA-256 is ${came} and should be ${sha256}`;
  }
  if (gitOid === null) return null;
  const header = new TextEncoder().encode(`blob ${blob.size}\0`);
  const digest = await crypto.subtle.digest('SHA-1', await new Blob([header, blob]).arrayBuffer());
  const came = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
  return came === gitOid ? null : `its git object id is ${came} and should be ${gitOid}`;
}

function lost({ path }: DownloadFile): StorageError {
  return new StorageError(
    `The browser has lost a part of ${path} while it was downloaded. Free space on the disk, then go on with the download.`,
  );
}
