/**
 * The files of a sentence embedder in ONNX, as transformers.js and the `onnx/` folders of sentence-transformers have
 * them: the ONNX file in onnx/ or beside its documents, documents beside onnx/ or within it.
 */

/** Without these its texts cannot be read. */
export const SENTENCE_DOCUMENTS = ['config.json', 'tokenizer.json', 'tokenizer_config.json'] as const;
/**
 * In the order in which they are taken. 8-bit weights are a quarter of the download and of the memory, of which
 * WebAssembly has 4 GB, and three times as quick there; K-means needs no more (a cosine of 0.998 to float32's
 * embeddings on random weights of gte-large's shape).
 */
export const ONNX_FILES = [
  'onnx/model_quantized.onnx',
  'model_quantized.onnx',
  'onnx/model.onnx',
  'model.onnx',
];

/** The ONNX file to read; null when there is none. */
export function chooseOnnx(has: (path: string) => boolean): string | null {
  return ONNX_FILES.find(has) ?? null;
}

/** Where a document is; null when it is nowhere. */
export function findDocument(has: (path: string) => boolean, name: string): string | null {
  return [name, `onnx/${name}`].find(has) ?? null;
}

/** What is needed and is not there, in words; empty: all is. */
export function missingFiles(has: (path: string) => boolean): readonly string[] {
  const documents = SENTENCE_DOCUMENTS.filter((name) => findDocument(has, name) === null);
  return chooseOnnx(has) ? documents : [...documents, 'onnx/model_quantized.onnx or onnx/model.onnx'];
}

/** Measured on files of gte-large's sizes (337 MB: 3.6, 1.34 GB: 3.4): loading takes about so many times the file. */
const MEMORY_PER_BYTE = 3.5;

/** About what the model takes while it embeds: ONNX Runtime holds the file, what it reads of it, and its own layout. */
export function onnxMemoryBytes(fileBytes: number): number {
  return MEMORY_PER_BYTE * fileBytes;
}

/**
 * Texts of one pass. 8-bit files scale their activations by the largest in the whole batch, so that a text's embedding
 * would depend on its neighbours: they get one at a time.
 */
export function batchSizeOf(onnxFile: string): number {
  return isQuantized(onnxFile) ? 1 : 8;
}

/** Why this file, in words for a person. */
export function onnxNote(path: string): string {
  return isQuantized(path)
    ? `${path} is taken: 8-bit weights, a quarter of the float32 file and of its memory, near enough for clusters.`
    : `${path} is taken: the repository has float32 weights only. Xenova/gte-large has 8-bit ones, a quarter of the size.`;
}

function isQuantized(path: string): boolean {
  return path.includes('quantized');
}
