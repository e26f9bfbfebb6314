import { InvalidInputError, ModelNotFoundError } from '../../common/errors';
import { folderFromFiles, type ModelFolder } from '../../weights';
import type { JobOptions, LoadProgress, ModelFile, ModelSummary } from '../protocol';
import { BUNDLED_MODEL_ID } from '../protocol-limits';
import { fetchBundledModel } from './bundled-model';
import { fingerprint } from './fingerprint';
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
    return [...bundled, ...imported];
  }

  /** @throws ModelNotFoundError, NetworkError, WeightsFormatError, StorageError */
  async open(id: string, options: JobOptions<LoadProgress> = {}): Promise<FoundModel> {
    if (id === BUNDLED_MODEL_ID) return this.#openBundled(options);
    const found = await this.#store.open(id);
    if (found) return found;
    const known = (await this.list()).map((model) => model.id).join(', ');
    throw new ModelNotFoundError(
      `There is no model "${id}" in this browser. There are: ${known || 'none'}. Choose one of them, or import the model's folder.`,
    );
  }

  /**
   * Takes the files that a diffusers folder is read from, once `check` has found nothing wrong with them.
   * @throws InvalidInputError and all that `check` throws: nothing is kept then
   */
  async importFiles(
    files: readonly ModelFile[],
    check: CheckModel,
    options: JobOptions<LoadProgress>,
  ): Promise<ModelSummary> {
    const given = folderFromFiles(checkedFiles(files));
    const { folder, used } = recordUse(given);
    await check(folder);
    const name = folderNameOf(files);
    // The card is read for the summary, so it is kept as well.
    const described = await summarizeModel(folder, 'unnamed', 'imported', name);
    const kept = await Promise.all([...used].map(async (path) => ({ path, blob: await given.blob(path) })));
    const id = `${slugOf(described.name)}-${(await fingerprint(kept)).slice(0, 8)}`;
    const summary = { ...described, id };
    if (!(await this.#store.has(id))) await this.#store.save(summary, kept, options);
    return summary;
  }

  /** @throws InvalidInputError for the bundled model, ModelNotFoundError */
  async remove(id: string): Promise<void> {
    if (id === BUNDLED_MODEL_ID) {
      throw new InvalidInputError('The model that comes with the studio cannot be removed.');
    }
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
      summary: await summarizeModel(folder, BUNDLED_MODEL_ID, 'bundled', name ?? 'Default model'),
    };
  }
}

function checkedFiles(files: readonly ModelFile[]): readonly ModelFile[] {
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

function folderNameOf(files: readonly ModelFile[]): string {
  const [first = '', ...rest] = files[0]?.path.split('/') ?? [];
  return rest.length > 0 && files.every(({ path }) => path.startsWith(`${first}/`))
    ? first
    : 'Imported model';
}

function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
  return slug.slice(0, 40) || 'model';
}
