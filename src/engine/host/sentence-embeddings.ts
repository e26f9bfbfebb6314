import { InvalidInputError, ModelNotFoundError, NonFiniteError } from '../../common/errors';
import type { HubPlan, JobOptions, LoadProgress, ModelFile } from '../protocol';
import type {
  SentenceEmbeddingProgress,
  SentenceEmbeddingsApi,
  SentenceModelSummary,
} from '../protocol-sentence-embeddings';
import type { OpenEmbedder } from './embedder-worker';
import type { FoundHelper } from './helper-library';
import { JobQueue } from './job-queue';
import type { ModelStore } from './model-store';
import { batchSizeOf } from './sentence-files';
import { filesOf, SentenceLibrary } from './sentence-library';

/** Embeddings by the sentence models there are, in a worker of their own beside the device's queue; one at a time. */
export class SentenceEmbedders implements SentenceEmbeddingsApi {
  private readonly library: SentenceLibrary;
  readonly #queue = new JobQueue();

  constructor(
    store: ModelStore<SentenceModelSummary>,
    private readonly openEmbedder: OpenEmbedder,
  ) {
    this.library = new SentenceLibrary(store, openEmbedder);
  }

  models: SentenceEmbeddingsApi['models'] = () => this.library.list();

  /** @param plan of the download that the files are of; null: a person gave them */
  importFiles = (
    files: readonly ModelFile[],
    options: JobOptions<LoadProgress> = {},
    plan: HubPlan | null = null,
  ): Promise<SentenceModelSummary> =>
    this.#queue.run(() => this.library.importFiles(files, options, plan), options.signal);

  verify: SentenceEmbeddingsApi['verify'] = (id, options) => this.library.verify(id, options);

  remove: SentenceEmbeddingsApi['remove'] = (id) => this.library.remove(id);

  embed: SentenceEmbeddingsApi['embed'] = async ({ texts, modelId }, options = {}) => {
    if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
      throw new InvalidInputError('texts is a list of texts.');
    }
    const model = await this.library.open(modelId ?? (await this.#firstId()));
    const embeddings = await this.#queue.run(() => this.#rows(model, texts, options), options.signal);
    return { modelId: model.summary.id, modelName: model.summary.name, embeddings };
  };

  async #rows(
    { folder, summary }: FoundHelper<SentenceModelSummary>,
    texts: readonly string[],
    { signal = new AbortController().signal, onProgress }: JobOptions<SentenceEmbeddingProgress>,
  ): Promise<readonly Float32Array[]> {
    const embeddings: Float32Array[] = [];
    const embedder = await this.openEmbedder(await filesOf(folder), signal);
    try {
      const size = batchSizeOf(summary.onnxFile);
      for (let start = 0; start < texts.length; start += size) {
        const batch = texts.slice(start, start + size);
        const rows = await embedder.embed(batch);
        batch.forEach((text, i) => {
          const row = rows.slice(i * summary.hiddenSize, (i + 1) * summary.hiddenSize);
          if (!row.every(Number.isFinite)) throw notFinite(summary.name, text);
          embeddings.push(row);
        });
        onProgress?.({ index: embeddings.length, count: texts.length });
      }
    } finally {
      embedder.close();
    }
    return embeddings;
  }

  /** @throws ModelNotFoundError when there is none */
  async #firstId(): Promise<string> {
    const [first] = await this.library.list();
    if (first) return first.id;
    throw new ModelNotFoundError(
      'No sentence embedder is installed. Download Xenova/gte-large in the Models panel, or import its folder.',
    );
  }
}

function notFinite(name: string, text: string): NonFiniteError {
  return new NonFiniteError(
    `"${name}" made numbers that are no embedding of "${text.slice(0, 80)}". Check the model in the Models panel.`,
  );
}
