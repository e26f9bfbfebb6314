import { InvalidInputError, ModelNotFoundError, StorageError } from '../../common/errors';
import { folderFromFiles, type ModelFolder } from '../../weights';
import type { HubPlan, JobOptions, LoadProgress, ModelFile, ModelSummary } from '../protocol';
import { BUNDLED_MODEL_ID } from '../protocol-limits';
import { fetchBundledModel } from './bundled-model';
import { convertModel } from './convert-model';
import { fingerprint } from './fingerprint';
import type { KeyValueStore } from './key-value-store';
import { modelLineage } from './lineage';
import type { ModelStore } from './model-store';
import { summarizeModel } from './model-summary';

export interface FoundModel {
  readonly folder: ModelFolder;
  readonly summary: ModelSummary;
}

/** Builds every component of a folder and lets it go again; throws what is wrong with it. */
export type CheckModel = (folder: ModelFolder) => Promise<void>;

/** The models there are: the one served with the studio, and those a person imported. */
export class ModelLibrary {
  readonly #modelsUrl: string;
  readonly #store: ModelStore;
  #bundled: Promise<FoundModel> | null = null;
  /** Models that storage had no room for: they are read from the person's own files until the page is closed. */
  readonly #visiting = new Map<string, FoundModel>();
  /** Kept models that did not pass `verify`. */
  readonly #broken = new Set<string>();
  readonly #bundledListeners = new Set<(progress: LoadProgress) => void>();

  /** @param modelsUrl absolute address of the folder that holds `default/`, with a slash at its end */
  constructor(modelsUrl: string, store: ModelStore) {
    this.#modelsUrl = modelsUrl;
    this.#store = store;
  }

  /** The bundled model is left out when it cannot be had; opening it says why. */
  async list(): Promise<readonly ModelSummary[]> {
    const [bundled, imported] = await Promise.all([
      this.#openBundled({}).then(
        ({ summary }) => [summary],
        () => [],
      ),
      this.#store.list(),
    ]);
    const visiting = [...this.#visiting.values()].map(({ summary }) => summary);
    const kept = imported.map((one) =>
      this.#broken.has(one.id) ? { ...one, state: 'broken' as const } : one,
    );
    return [...bundled, ...kept, ...visiting];
  }

  /** @throws ModelNotFoundError, NetworkError, WeightsFormatError, StorageError */
  async open(id: string, options: JobOptions<LoadProgress> = {}): Promise<FoundModel> {
    if (id === BUNDLED_MODEL_ID) return this.#openBundled(options);
    const found = this.#visiting.get(id) ?? (await this.#store.open(id));
    if (found) return found;
    const known = (await this.list()).map((model) => model.id).join(', ');
    throw new ModelNotFoundError(
      `There is no model "${id}" in this browser. There are: ${known || 'none'}. Choose one of them, or import the model's folder.`,
    );
  }

  /**
   * Takes the files of a model in any layout that is known (a diffusers folder, Tango's published files) and keeps it
   * as a diffusers folder. When storage is full the model is there for this visit only, and its description says so.
   *
   * @param check tries a small model on the device, before anything is kept
   * @param plan of the download that the files are of; null: a person gave them
   * @throws InvalidInputError, whatever reading the files throws, and all that `check` throws: nothing is kept then
   */
  async importFiles(
    files: readonly ModelFile[],
    check: CheckModel,
    options: JobOptions<LoadProgress>,
    plan: HubPlan | null = null,
  ): Promise<ModelSummary> {
    const given = folderFromFiles(checkedFiles(files));
    const { folder: recorded, used } = recordUse(given);
    const converted = await convertModel(recorded);
    const { folder, overflowed } = converted;
    if (!converted.large) await check(folder);
    const lineage = await modelLineage(given);
    const described = {
      ...(await summarizeModel(folder, 'unnamed', 'imported', folderNameOf(files))),
      ...(lineage && { lineage }),
    };
    options.signal?.throwIfAborted();
    const summary: ModelSummary = plan
      ? { ...described, ...downloadedAs(plan, described) }
      : { ...described, id: `${slugOf(described.name)}-${await contentsHash(given, used)}` };
    if ((await this.#store.has(summary.id)) || this.#visiting.has(summary.id)) {
      return (await this.open(summary.id)).summary;
    }
    try {
      const finish = (kept: ModelSummary): ModelSummary => withOverflow(kept, overflowed);
      return await this.#store.save(summary, converted.files, { ...options, finish });
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      const visiting = withNote(
        withOverflow(summary, overflowed),
        `Kept for this visit only, and read from your files. ${error.message}`,
      );
      this.#visiting.set(summary.id, { folder, summary: visiting });
      return visiting;
    }
  }

  /** The storage that the models are in, which downloads share. */
  get values(): KeyValueStore {
    return this.#store.values;
  }

  /** Whether the model will be here at the next visit. */
  keeps(id: string): Promise<boolean> {
    return this.#store.has(id);
  }

  /** Names of models that a newer studio kept. */
  unreadable(): Promise<readonly string[]> {
    return this.#store.unreadable();
  }

  /**
   * Paths of a kept model's damaged files; null when there is no such model in storage. One that is damaged is shown as
   * broken from then on.
   */
  async verify(id: string, options: JobOptions<LoadProgress> = {}): Promise<readonly string[] | null> {
    const damaged = await this.#store.verify(id, options);
    if (damaged && damaged.length > 0) this.#broken.add(id);
    else this.#broken.delete(id);
    return damaged;
  }

  /** @throws InvalidInputError for the bundled model, ModelNotFoundError */
  async remove(id: string): Promise<void> {
    if (id === BUNDLED_MODEL_ID) {
      throw new InvalidInputError('The model that comes with the studio cannot be removed.');
    }
    if (this.#visiting.delete(id)) return;
    if (!(await this.#store.remove(id))) {
      throw new ModelNotFoundError(`There is no model "${id}" in this browser to remove.`);
    }
  }

  /** Fetched once for all who wait; a failure is not remembered, so that the next call tries again. */
  async #openBundled({ onProgress, signal }: JobOptions<LoadProgress>): Promise<FoundModel> {
    if (onProgress) this.#bundledListeners.add(onProgress);
    this.#bundled ??= this.#fetchBundled();
    const opening = this.#bundled;
    try {
      const found = await opening;
      signal?.throwIfAborted();
      return found;
    } catch (error) {
      if (this.#bundled === opening && !signal?.aborted) this.#bundled = null;
      throw error;
    } finally {
      if (onProgress) this.#bundledListeners.delete(onProgress);
    }
  }

  async #fetchBundled(): Promise<FoundModel> {
    const { folder, name } = await fetchBundledModel(`${this.#modelsUrl}${BUNDLED_MODEL_ID}/`, {
      onProgress: (progress) => {
        for (const listener of this.#bundledListeners) listener(progress);
      },
    });
    return {
      folder,
      // The list of files names it, not its card.
      summary: {
        ...(await summarizeModel(folder, BUNDLED_MODEL_ID, 'bundled', 'Default model')),
        ...(name !== null && { name }),
      },
    };
  }
}

async function contentsHash(given: ModelFolder, used: ReadonlySet<string>): Promise<string> {
  const read = await Promise.all([...used].map(async (path) => ({ path, blob: await given.blob(path) })));
  return (await fingerprint(read)).slice(0, 8);
}

/** A commit names the contents; the card's licence is the repository's word. */
function downloadedAs(
  { hubUrl, repo, commit, license }: HubPlan,
  described: ModelSummary,
): Pick<ModelSummary, 'id' | 'name' | 'license' | 'origin'> {
  return {
    id: `${slugOf(repo)}-${commit.slice(0, 8)}`,
    name: repo,
    license: license ?? described.license,
    origin: { hubUrl, repo, commit },
  };
}

function withNote(summary: ModelSummary, note: string): ModelSummary {
  return { ...summary, description: [note, summary.description].filter(Boolean).join(' ') };
}

/** Says which tensors stay float32 because half precision ends at 65504. */
function withOverflow(summary: ModelSummary, overflowed: ReadonlySet<string>): ModelSummary {
  if (overflowed.size === 0) return summary;
  const names = [...overflowed].slice(0, 3).join(', ');
  return withNote(
    { ...summary, precision: 'mixed' },
    `${overflowed.size} tensors are too large for float16 and stay float32 (${names}).`,
  );
}

export function checkedFiles(files: readonly ModelFile[]): readonly ModelFile[] {
  const good =
    Array.isArray(files) && files.every(({ path, blob }) => typeof path === 'string' && blob instanceof Blob);
  if (good) return files;
  throw new InvalidInputError(
    'importFiles takes the files of a model folder: File objects, or { path, blob } for each.',
  );
}

/** The folder, and the set of paths that have been read from it. */
function recordUse(folder: ModelFolder): { folder: ModelFolder; used: Set<string> } {
  const used = new Set<string>();
  const note = (path: string): string => {
    used.add(path);
    return path;
  };
  return {
    used,
    folder: {
      list: () => folder.list(),
      has: (path) => folder.has(path),
      blob: (path) => folder.blob(note(path)),
      json: (path) => folder.json(note(path)),
    },
  };
}

export function folderNameOf(files: readonly ModelFile[]): string {
  const [first = '', ...rest] = files[0]?.path.split('/') ?? [];
  return rest.length > 0 && files.every(({ path }) => path.startsWith(`${first}/`))
    ? first
    : 'Imported model';
}

export function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return slug.slice(0, 40) || 'model';
}
