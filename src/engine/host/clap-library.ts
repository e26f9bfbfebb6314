import { InvalidInputError } from '../../common/errors';
import { type OpenedClap, openClap, openLaionReleased } from '../../models/clap';
import { folderFromFiles, type ModelFolder } from '../../weights';
import type { HubPlan, JobOptions, LoadProgress, ModelCheck, ModelFile } from '../protocol';
import type { ClapModelSummary } from '../protocol-clap';
import { BUNDLED_CLAP_IDS } from '../protocol-limits';
import { fetchBundledModel } from './bundled-model';
import type { FoundHelper } from './helper-library';
import { bytesOf, ListenerLibrary, precisionOf } from './listener-library';
import { checkedFiles, folderNameOf } from './model-library';
import type { ModelStore } from './model-store';
import { readCard } from './model-summary';

const DOCUMENTS = [
  'config.json',
  'preprocessor_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'README.md',
];

export type FoundClap = FoundHelper<ClapModelSummary>;

/** The CLAP models there are: those served with the studio, and those a person imported. */
export class ClapLibrary {
  readonly #bundled = new Map<string, Promise<FoundClap>>();
  readonly #kept: ListenerLibrary<ClapModelSummary>;

  /** @param modelsUrl absolute address of the folder that holds the bundled ones, with a slash at its end */
  constructor(
    private readonly modelsUrl: string,
    store: ModelStore<ClapModelSummary>,
  ) {
    this.#kept = new ListenerLibrary('CLAP', store);
  }

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
    return [...bundled.flat(), ...(await this.#kept.list())];
  }

  /** @throws ModelNotFoundError, NetworkError, WeightsFormatError, StorageError */
  async open(id: string): Promise<FoundClap> {
    return isBundled(id) ? this.#openBundled(id) : this.#kept.open(id);
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
    const opened = await openClap(folder);
    const documents = await Promise.all(
      DOCUMENTS.filter((path) => folder.has(path)).map(async (path) => ({
        path,
        blob: await folder.blob(path),
      })),
    );
    const model = {
      given,
      described: await summarizeClap(folder, opened, 'unnamed', 'imported', nameOf(files)),
      weights: opened.stateDict,
      names: opened.root.list().map(({ name }) => name),
      documents,
    };
    return this.#kept.keep(model, options, plan);
  }

  /** @throws InvalidInputError for a bundled one, ModelNotFoundError */
  async verify(id: string, options?: JobOptions<LoadProgress>): Promise<ModelCheck> {
    if (!isBundled(id)) return this.#kept.verify(id, options);
    throw new InvalidInputError('A CLAP that comes with the studio is checked whenever it is fetched.');
  }

  /** @throws InvalidInputError for a bundled one, ModelNotFoundError */
  async remove(id: string): Promise<void> {
    if (!isBundled(id)) return this.#kept.remove(id);
    throw new InvalidInputError('A CLAP that comes with the studio cannot be removed.');
  }

  /** Fetched once; a failure is not remembered, so that the next call tries again. */
  #openBundled(id: string): Promise<FoundClap> {
    const known = this.#bundled.get(id);
    if (known) return known;
    const opening = fetchBundledModel(`${this.modelsUrl}${id}/`).then(async ({ folder, name }) => ({
      folder,
      summary: await summarizeClap(folder, await openClap(folder), id, 'bundled', name ?? id),
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
  { config, root, stateDict }: OpenedClap,
  id: string,
  source: ClapModelSummary['source'],
  fallbackName: string,
): Promise<ClapModelSummary> {
  const card = await readCard(folder);
  const names = root.list().map(({ name }) => name);
  return {
    id,
    name: card.title ?? fallbackName,
    source,
    description: card.description,
    license: card.license,
    precision: precisionOf(stateDict, names),
    bytes: bytesOf(stateDict, names),
    parameterCount: root.parameterCount,
    projectionDim: config.projectionDim,
  };
}
