import { InvalidInputError, ModelNotFoundError } from '../../common/errors';
import { openClap, openLaionReleased } from '../../models/clap';
import { folderFromFiles, type ModelFolder, narrowStateDict, writeSafetensors } from '../../weights';
import type { JobOptions, LoadProgress, ModelFile } from '../protocol';
import type { ClapModelSummary } from '../protocol-clap';
import type { HubPlan } from '../protocol-hub';
import { BUNDLED_CLAP_IDS } from '../protocol-limits';
import { fetchBundledModel } from './bundled-model';
import { fingerprint } from './fingerprint';
import { checkedFiles, folderNameOf, slugOf } from './model-library';
import type { FileToKeep, ModelStore } from './model-store';
import { readCard } from './model-summary';

/** A CLAP of up to this many parameters keeps its float32; a larger one becomes float16, as GPUs hold it. */
export const CLAP_FLOAT32_PARAMETERS = 32e6;
const DOCUMENTS = [
  'config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'README.md',
];

export interface FoundClap {
  readonly folder: ModelFolder;
  readonly summary: ClapModelSummary;
}

/** The CLAP models there are: those served with the studio, and those a person imported. */
export class ClapLibrary {
  readonly #bundled = new Map<string, Promise<FoundClap>>();

  /** @param modelsUrl absolute address of the folder that holds the bundled ones, with a slash at its end */
  constructor(
    private readonly modelsUrl: string,
    private readonly store: ModelStore<ClapModelSummary>,
  ) {}

  /** A bundled one is left out when it cannot be had; opening it says why. */
  async list(): Promise<readonly ClapModelSummary[]> {
    const bundled = await Promise.all(
      BUNDLED_CLAP_IDS.map((id) =>
        this.#openBundled(id).then(
          ({ summary }) => [summary],
          () => [],
        ),
      ),
    );
    return [...bundled.flat(), ...(await this.store.list())];
  }

  /** @throws ModelNotFoundError, NetworkError, WeightsFormatError, StorageError */
  async open(id: string): Promise<FoundClap> {
    if (isBundled(id)) return this.#openBundled(id);
    const found = await this.store.open(id);
    if (found) return found;
    const known = (await this.list()).map((model) => model.id).join(', ');
    throw new ModelNotFoundError(
      `There is no CLAP "${id}" in this browser. There are: ${known || 'none'}. Choose one of them, or import one.`,
    );
  }

  /**
   * Takes a transformers folder or LAION's .pt; names and shapes are checked before anything is kept, values while
   * they are.
   * @param plan of the download that the files are of; null: a person gave them
   * @throws InvalidInputError, whatever reading the files throws, StorageError: nothing is kept then
   */
  async importFiles(
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress>,
    plan: HubPlan | null = null,
  ): Promise<ClapModelSummary> {
    const given = folderFromFiles(checkedFiles(files));
    const folder = (await openLaionReleased(given)) ?? given;
    const read = await summarizeClap(folder, 'unnamed', 'imported', nameOf(files));
    const described = plan ? { ...read, name: plan.repo, license: plan.license ?? read.license } : read;
    const identity = given
      .list()
      .filter((path) => /\.(pt|ckpt|pth|bin|safetensors)$|config\.json$/.test(path));
    const identified = await Promise.all(
      identity.map(async (path) => ({ path, blob: await given.blob(path) })),
    );
    options.signal?.throwIfAborted();
    const id = `${slugOf(described.name)}-${(await fingerprint(identified)).slice(0, 8)}`;
    const kept = await this.store.open(id);
    return kept?.summary ?? this.store.save({ ...described, id }, await filesToKeep(folder), options);
  }

  /** @throws InvalidInputError for a bundled one, ModelNotFoundError */
  async remove(id: string): Promise<void> {
    if (isBundled(id)) throw new InvalidInputError('A CLAP that comes with the studio cannot be removed.');
    if (!(await this.store.remove(id))) {
      throw new ModelNotFoundError(`There is no CLAP "${id}" in this browser to remove.`);
    }
  }

  /** Fetched once; a failure is not remembered, so that the next call tries again. */
  #openBundled(id: string): Promise<FoundClap> {
    const known = this.#bundled.get(id);
    if (known) return known;
    const opening = fetchBundledModel(`${this.modelsUrl}${id}/`).then(async ({ folder, name }) => ({
      folder,
      summary: await summarizeClap(folder, id, 'bundled', name ?? id),
    }));
    this.#bundled.set(id, opening);
    opening.catch(() => this.#bundled.delete(id));
    return opening;
  }
}

function isBundled(id: string): boolean {
  return BUNDLED_CLAP_IDS.some((bundled) => bundled === id);
}

/** A .pt alone is named by its file. */
function nameOf(files: readonly ModelFile[]): string {
  const weights = files.find(({ path }) => /\.(pt|ckpt|pth)$/.test(path));
  const base = weights?.path.split('/').at(-1);
  return base ? `CLAP ${base.replace(/\.\w+$/, '')}` : folderNameOf(files);
}

async function summarizeClap(
  folder: ModelFolder,
  id: string,
  source: ClapModelSummary['source'],
  fallbackName: string,
): Promise<ClapModelSummary> {
  const { config, root, stateDict } = await openClap(folder);
  const card = await readCard(folder);
  return {
    id,
    name: card.title ?? fallbackName,
    source,
    description: card.description,
    license: card.license,
    bytes: root.list().reduce((sum, { name }) => sum + (stateDict.entry(name)?.byteLength ?? 0), 0),
    parameterCount: root.parameterCount,
    projectionDim: config.projectionDim,
  };
}

/** The folder as transformers writes it, weights in one safetensors file under transformers' names. */
async function filesToKeep(folder: ModelFolder): Promise<readonly FileToKeep[]> {
  const { root, stateDict } = await openClap(folder);
  const names = root.list().map(({ name }) => name);
  const to = root.parameterCount > CLAP_FLOAT32_PARAMETERS ? 'F16' : 'F32';
  const narrowed = narrowStateDict(stateDict, names, { to });
  const documents = await Promise.all(
    DOCUMENTS.filter((path) => folder.has(path)).map(async (path) => ({
      path,
      blob: await folder.blob(path),
    })),
  );
  const weights = {
    path: 'model.safetensors',
    expectedBytes: names.reduce((sum, name) => sum + (narrowed.entry(name)?.byteLength ?? 0), 0),
    write: (put: (bytes: Uint8Array) => Promise<void>) => writeSafetensors(narrowed, put),
  };
  return [...documents, weights];
}
