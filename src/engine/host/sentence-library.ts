import { InvalidInputError, WeightsFormatError } from '../../common/errors';
import { ConfigReader } from '../../models/config-reader';
import { folderFromFiles, type ModelFolder } from '../../weights';
import type { JobOptions, LoadProgress, ModelFile } from '../protocol';
import type { HubPlan } from '../protocol-hub';
import type { SentenceModelSummary } from '../protocol-sentence-embeddings';
import type { OpenEmbedder } from './embedder-worker';
import { fingerprint } from './fingerprint';
import { HelperLibrary } from './helper-library';
import { checkedFiles, folderNameOf, slugOf } from './model-library';
import type { ModelStore } from './model-store';
import { readCard } from './model-summary';
import { chooseOnnx, findDocument, missingFiles, SENTENCE_DOCUMENTS } from './sentence-files';

const TRIAL = 'a dog barks';

/** The sentence embedders that a person installed. */
export class SentenceLibrary extends HelperLibrary<SentenceModelSummary> {
  constructor(
    store: ModelStore<SentenceModelSummary>,
    private readonly openEmbedder: OpenEmbedder,
  ) {
    super('sentence embedder', store);
  }

  /**
   * Checks the folder, embeds a caption with it, then keeps it.
   * @param plan of the download that the files are of; null: a person gave them
   * @throws InvalidInputError, InvalidConfigError, and whatever loading it throws: nothing is kept then
   */
  async importFiles(
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress>,
    plan: HubPlan | null = null,
  ): Promise<SentenceModelSummary> {
    const signal = options.signal ?? new AbortController().signal;
    const given = folderFromFiles(checkedFiles(files));
    const kept = await filesToKeep(given);
    const described = await summarize(folderFromFiles(kept), plan, folderNameOf(files));
    const id = `${slugOf(described.name)}-${(await fingerprint(kept)).slice(0, 8)}`;
    const known = await this.whole(id);
    if (known) return known;
    await this.#try(kept, described, signal);
    return this.save({ ...described, id }, kept, { ...options, signal });
  }

  async #try(
    files: readonly ModelFile[],
    { hiddenSize, onnxFile }: Omit<SentenceModelSummary, 'id'>,
    signal: AbortSignal,
  ): Promise<void> {
    const embedder = await this.openEmbedder(files, signal);
    try {
      const embedding = await embedder.embed([TRIAL]);
      if (embedding.length === hiddenSize && embedding.every(Number.isFinite)) return;
      throw new WeightsFormatError(
        `${onnxFile} should give ${hiddenSize} finite numbers for a sentence, as config.json says, but gave ${embedding.length} (${[...embedding.slice(0, 3)].join(', ')}, …). Take both files from one model.`,
      );
    } finally {
      embedder.close();
    }
  }
}

/** All files of a kept one. */
export function filesOf(folder: ModelFolder): Promise<readonly ModelFile[]> {
  return Promise.all(folder.list().map(async (path) => ({ path, blob: await folder.blob(path) })));
}

/** The documents, the card, and one ONNX file in onnx/. @throws InvalidInputError naming what is missing */
async function filesToKeep(given: ModelFolder): Promise<readonly ModelFile[]> {
  const missing = missingFiles(given.has);
  const onnx = chooseOnnx(given.has);
  if (missing.length > 0 || onnx === null) {
    throw new InvalidInputError(
      `A sentence embedder is a BERT in ONNX, and ${missing.join(', ')} ${missing.length === 1 ? 'is' : 'are'} not among these files: ${given.list().slice(0, 8).join(', ')}. Xenova/gte-large on the Hugging Face Hub has all of them.`,
    );
  }
  const documents = [...SENTENCE_DOCUMENTS, 'README.md'].flatMap((name) => {
    const path = findDocument(given.has, name);
    return path === null ? [] : [{ path: name, from: path }];
  });
  const kept = [...documents, { path: `onnx/${onnx.split('/').at(-1)}`, from: onnx }];
  return Promise.all(kept.map(async ({ path, from }) => ({ path, blob: await given.blob(from) })));
}

/** @throws InvalidConfigError for another architecture than BERT */
async function summarize(
  folder: ModelFolder,
  plan: HubPlan | null,
  fallbackName: string,
): Promise<Omit<SentenceModelSummary, 'id'>> {
  const config = new ConfigReader(await folder.json('config.json'), 'the sentence embedder');
  config.oneOf('model_type', ['bert']);
  const card = await readCard(folder);
  const onnxFile = folder.list().find((path) => path.startsWith('onnx/')) ?? '';
  return {
    name: plan?.repo ?? card.title ?? fallbackName,
    source: 'imported',
    ...(plan && { origin: { hubUrl: plan.hubUrl, repo: plan.repo, commit: plan.commit } }),
    description: card.description,
    license: plan?.license ?? card.license,
    bytes: (await folder.blob(onnxFile)).size,
    onnxFile,
    hiddenSize: config.integer('hidden_size'),
    maxTokens: config.integer('max_position_embeddings', undefined, 4),
  };
}
