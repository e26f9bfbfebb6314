import { AutoModel, env, mean_pooling, type PreTrainedModel, Tensor } from '@huggingface/transformers';
import ortModuleUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url&no-inline';
import ortWasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url&no-inline';
import { required } from '../../common/assert';
import { NetworkError, WeightsFormatError } from '../../common/errors';
import { threadsFor } from '../../common/threads-for';
import { TextTokenizer } from '../../text/text-tokenizer';
import { folderFromFiles, type ModelFolder } from '../../weights/model-folder';
import type { ModelFile } from '../protocol-jobs';
import { asStudioError } from '../rpc/wire-error';

/** transformers.js wants an owner and a name; every file of it is answered from the folder. */
const MODEL = 'studio/model';

/**
 * Sentences to vectors by a BERT in ONNX, through transformers.js: the mean of the last hidden states over the tokens,
 * divided by its length, as the model card of thenlper/gte-large has it. It runs in a worker of its own.
 *
 * The tokenizer is the studio's: transformers.js cuts long texts together with their last special token, which Python
 * keeps.
 */
export class SentenceEmbedder {
  readonly #model: PreTrainedModel;
  readonly #tokenizer: TextTokenizer;

  private constructor(model: PreTrainedModel, tokenizer: TextTokenizer) {
    this.#model = model;
    this.#tokenizer = tokenizer;
  }

  /**
   * @param files config.json, tokenizer.json, tokenizer_config.json and one file in onnx/
   * @throws InvalidConfigError, WeightsFormatError with what ONNX Runtime says of the file, OutOfMemoryError, NetworkError
   */
  static async open(files: readonly ModelFile[]): Promise<SentenceEmbedder> {
    const folder = folderFromFiles(files);
    serveFrom(folder);
    const onnx = required(
      folder.list().find((path) => path.startsWith('onnx/')),
      'a file in onnx/',
    );
    const config = (await folder.json('config.json')) as { readonly max_position_embeddings: number };
    const tokenizerConfig = (await folder.json('tokenizer_config.json')) as object;
    const tokenizer = new TextTokenizer(await folder.json('tokenizer.json'), {
      ...tokenizerConfig,
      model_max_length: config.max_position_embeddings,
    });
    const model = await AutoModel.from_pretrained(MODEL, {
      device: 'wasm',
      // Of the file's name nothing is added: which one it is was decided when it was kept.
      dtype: 'fp32',
      subfolder: 'onnx',
      model_file_name: onnx.slice('onnx/'.length, -'.onnx'.length),
    }).catch((error: unknown) => {
      throw whyNotOpened(error, onnx);
    });
    return new SentenceEmbedder(model, tokenizer);
  }

  /** B texts, cut to what the model reads. @returns [B, D] row-major, each row of length 1 */
  async embed(texts: readonly string[]): Promise<Float32Array> {
    const { inputIds, attentionMask, length } = this.#tokenizer.encodeBatch(texts);
    const shape = [texts.length, length];
    const input_ids = new Tensor('int64', BigInt64Array.from(inputIds, BigInt), shape);
    const attention_mask = new Tensor('int64', BigInt64Array.from(attentionMask, BigInt), shape);
    const token_type_ids = new Tensor('int64', new BigInt64Array(inputIds.length), shape);
    const outputs: Record<string, Tensor> = await this.#model({ input_ids, attention_mask, token_type_ids });
    const { last_hidden_state: states } = outputs; // [B, L, D]
    if (!states) {
      throw new WeightsFormatError(
        `The ONNX file should give last_hidden_state, but gives ${Object.keys(outputs).join(', ')}. Take a file that was exported for feature extraction, such as Xenova/gte-large's.`,
      );
    }
    const pooled = mean_pooling(states, attention_mask); // [B, D]
    return pooled.normalize(2, -1).data as Float32Array;
  }
}

/** Nothing leaves this machine: the model comes from the folder, ONNX Runtime from the studio's own origin. */
function serveFrom(folder: ModelFolder): void {
  env.allowRemoteModels = false;
  env.allowLocalModels = true;
  env.useBrowserCache = false;
  env.useWasmCache = false; // it would start the module from a blob: address, which the page's policy forbids
  env.fetch = async (address: string | URL | Request) => {
    const path = String(address).split(`${MODEL}/`).at(-1) ?? '';
    return folder.has(path) ? new Response(await folder.blob(path)) : new Response(null, { status: 404 });
  };
  const { wasm } = env.backends.onnx;
  const runtime = required(wasm, "ONNX Runtime's settings");
  // Memory is shared between threads where the page is cross-origin isolated only.
  runtime.numThreads = self.crossOriginIsolated ? threadsFor(navigator.hardwareConcurrency) : 1;
  runtime.wasmPaths = {
    mjs: new URL(ortModuleUrl, import.meta.url).href,
    wasm: new URL(ortWasmUrl, import.meta.url).href,
  };
}

function whyNotOpened(error: unknown, path: string): Error {
  const known = asStudioError(error);
  if (known.code !== 'internal') return known;
  const reason = error instanceof Error ? error.message : String(error);
  if (reason.startsWith('no available backend found')) {
    return new NetworkError(
      `ONNX Runtime's files could not be loaded from the studio's own server (${reason}). Reload the page; if that does not help, the files on the server are incomplete.`,
      { cause: error },
    );
  }
  return new WeightsFormatError(
    `${path} does not open in ONNX Runtime: ${reason} Download the file again, or take that of Xenova/gte-large.`,
    { cause: error },
  );
}
