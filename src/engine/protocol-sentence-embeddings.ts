import type { HubOrigin } from './protocol-hub';
import type { JobOptions, ModelFile } from './protocol-jobs';

/** Embeddings of sentences by a BERT such as gte-large: types only. */

export interface SentenceModelSummary {
  readonly id: string;
  readonly name: string;
  readonly source: 'imported';
  /** Where it was downloaded from; absent: it came from files. */
  readonly origin?: HubOrigin;
  /** `broken`: the browser has lost a part of it. Absent: nothing is known to be wrong. */
  readonly state?: 'broken';
  readonly description: string;
  readonly license: string | null;
  readonly bytes: number;
  /** Path of the ONNX file that it is read from. */
  readonly onnxFile: string;
  /** Width of its embeddings. */
  readonly hiddenSize: number;
  /** Tokens that it reads; longer texts are cut. */
  readonly maxTokens: number;
}

export interface SentenceEmbeddingRequest {
  readonly texts: readonly string[];
  /** Default: the first of `models()`. */
  readonly modelId?: string;
}

export interface SentenceEmbeddingProgress {
  /** Texts that are done. */
  readonly index: number;
  readonly count: number;
}

export interface SentenceEmbeddings {
  readonly modelId: string;
  readonly modelName: string;
  /** One [hiddenSize] of length 1 for each text, in their order. */
  readonly embeddings: readonly Float32Array[];
}

export interface SentenceEmbeddingsApi {
  /** Those that were imported or downloaded; none comes with the studio. */
  models(): Promise<readonly SentenceModelSummary[]>;
  /**
   * Keeps a BERT whose mean of hidden states is the embedding, in ONNX: config.json, tokenizer.json,
   * tokenizer_config.json, onnx/model_quantized.onnx or onnx/model.onnx. It is loaded and tried first.
   * @throws InvalidInputError, InvalidConfigError, WeightsFormatError, OutOfMemoryError: nothing is kept
   */
  importFiles(
    files: readonly ModelFile[],
    options?: JobOptions<{
      readonly loadedBytes: number;
      readonly totalBytes: number;
      readonly label: string;
    }>,
  ): Promise<SentenceModelSummary>;
  /** @throws ModelNotFoundError */
  remove(id: string): Promise<void>;
  /**
   * Loads the model, embeds, and gives its memory back. The signal ends it at once.
   * @throws InvalidInputError; ModelNotFoundError when there is no such model, or none at all
   */
  embed(
    request: SentenceEmbeddingRequest,
    options?: JobOptions<SentenceEmbeddingProgress>,
  ): Promise<SentenceEmbeddings>;
}
