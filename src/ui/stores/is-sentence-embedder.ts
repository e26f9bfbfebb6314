import type { ModelFile } from '../../engine/protocol';

/** Whether files look like a sentence embedder: ONNX, or what sentence-transformers writes beside its weights. */
export function isSentenceEmbedder(files: readonly ModelFile[]): boolean {
  const names = files.map(({ path }) => path.slice(path.lastIndexOf('/') + 1));
  if (names.includes('model_index.json')) return false;
  return names.some((name) => name.endsWith('.onnx') || name === 'sentence_bert_config.json');
}
