import { InvalidInputError, JobCancelledError, ModelNotFoundError } from '../common/errors';
import type { SentenceEmbeddingsApi, SentenceModelSummary } from '../engine/protocol-sentence-embeddings';

export const fakeSentenceModel: SentenceModelSummary = {
  id: 'gte-large-1',
  name: 'Xenova/gte-large',
  source: 'imported',
  description: 'A sentence embedder of the fake engine.',
  license: 'mit',
  bytes: 337_000_000,
  onnxFile: 'onnx/model_quantized.onnx',
  hiddenSize: 8,
  maxTokens: 512,
};

/** Sentence embeddings as the page sees them: none is installed before an import; a vector is a fixed function of its text. */
export function fakeSentenceEmbeddings(): SentenceEmbeddingsApi {
  let models: readonly SentenceModelSummary[] = [];
  return {
    models: async () => models,
    importFiles: async (files) => {
      if (!files.some(({ path }) => path.endsWith('.onnx'))) {
        throw new InvalidInputError('A sentence embedder is a BERT in ONNX, and there is none.');
      }
      models = [fakeSentenceModel];
      return fakeSentenceModel;
    },
    verify: async () => ({ damaged: [] }),
    remove: async (id) => {
      models = models.filter((model) => model.id !== id);
    },
    embed: async ({ texts, modelId }, { onProgress, signal } = {}) => {
      const model = models.find(({ id }) => id === (modelId ?? models[0]?.id));
      if (!model) throw new ModelNotFoundError('No sentence embedder is installed.');
      const embeddings: Float32Array[] = [];
      for (const text of texts) {
        if (signal?.aborted) throw new JobCancelledError('Cancelled.');
        embeddings.push(directionOf(text, model.hiddenSize));
        onProgress?.({ index: embeddings.length, count: texts.length });
      }
      return { modelId: model.id, modelName: model.name, embeddings };
    },
  };
}

function directionOf(text: string, size: number): Float32Array {
  const sum = [...text].reduce((total, letter) => total + (letter.codePointAt(0) ?? 0), 1);
  const vector = Float32Array.from({ length: size }, (_, i) => Math.cos(sum * (i + 1)));
  const norm = Math.hypot(...vector);
  return vector.map((x) => x / norm);
}
