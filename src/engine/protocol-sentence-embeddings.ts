import type { HelperModels, HelperSummary } from './protocol-helpers';
import type { JobOptions } from './protocol-jobs';

/** Embeddings of sentences by a BERT such as gte-large: types only. */

export interface SentenceModelSummary extends HelperSummary {
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

/**
 * `importFiles` keeps a BERT whose mean of hidden states is the embedding, in ONNX: config.json, tokenizer.json,
 * tokenizer_config.json, onnx/model_quantized.onnx or onnx/model.onnx. It is loaded and tried first; it is in memory while
 * it embeds, and no longer.
 */
export interface SentenceEmbeddingsApi extends HelperModels<SentenceModelSummary> {
  /**
   * Loads the model, embeds, and gives its memory back. The signal ends it at once.
   * @throws InvalidInputError; ModelNotFoundError when there is no such model, or none at all
   */
  embed(
    request: SentenceEmbeddingRequest,
    options?: JobOptions<SentenceEmbeddingProgress>,
  ): Promise<SentenceEmbeddings>;
}
