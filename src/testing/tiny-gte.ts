import type { ModelFile } from '../engine/protocol';
import { type Fixture, loadFixture, readBlob } from './fixture';

const FILES = {
  'config.json': new URL('./fixtures/tiny-gte/config.json', import.meta.url),
  'tokenizer.json': new URL('./fixtures/tiny-gte/tokenizer.json', import.meta.url),
  'tokenizer_config.json': new URL('./fixtures/tiny-gte/tokenizer_config.json', import.meta.url),
  'README.md': new URL('./fixtures/tiny-gte/README.md', import.meta.url),
  'onnx/model.onnx': new URL('./fixtures/tiny-gte/onnx/model.onnx', import.meta.url),
  'onnx/model_quantized.onnx': new URL('./fixtures/tiny-gte/onnx/model_quantized.onnx', import.meta.url),
};
export type TinyGteFile = keyof typeof FILES;

export interface TinyGte {
  /** As Xenova/gte-large has them. */
  readonly files: ReadonlyMap<TinyGteFile, Blob>;
  /** A folder as a person picks it, of the named files. */
  folder(...paths: readonly TinyGteFile[]): readonly ModelFile[];
  readonly captions: readonly string[];
  /** PyTorch's embeddings, [captions, 32]; of float32 weights. */
  readonly fixture: Fixture;
}

/** A sentence embedder of 30,000 parameters in the layout of gte-large (tools/fixtures/sentence_embeddings.py). */
export async function tinyGte(): Promise<TinyGte> {
  const paths = Object.keys(FILES) as TinyGteFile[];
  const files = new Map(
    await Promise.all(paths.map(async (path) => [path, await readBlob(FILES[path])] as const)),
  );
  const fixture = await loadFixture(new URL('./fixtures/tiny-gte/reference.safetensors', import.meta.url));
  return {
    files,
    folder: (...wanted) => wanted.map((path) => ({ path: `tiny-gte/${path}`, blob: files.get(path)! })),
    captions: fixture.metadata('captions'),
    fixture,
  };
}
