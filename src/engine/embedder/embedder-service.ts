import type { ModelFile } from '../protocol-jobs';
import type { WireResult } from '../rpc/wire-error';

/** The object that the embedder's worker exposes by Comlink. */
export interface EmbedderService {
  /** Loads config.json, tokenizer.json, tokenizer_config.json and the file in onnx/. */
  open(files: readonly ModelFile[]): Promise<WireResult<void>>;
  /** B texts → [B, D], each row of length 1. */
  embed(texts: readonly string[]): Promise<WireResult<Float32Array>>;
}
