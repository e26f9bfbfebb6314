import * as tf from '@tensorflow/tfjs-core';
import { InvalidConfigError, NonFiniteError } from '../../common/errors';
import { ParameterRoot } from '../../nn';
import { TextTokenizer } from '../../text/text-tokenizer';
import { type ModelFolder, openComponentStateDict, type StateDict } from '../../weights';
import { ClapModel } from './clap-model';
import { type ClapConfig, parseClapConfig } from './config';
import { ClapFeatureExtractor, parseClapFeatureExtractorConfig } from './feature-extractor';
import { CLAP_IGNORED_KEYS } from './key-map';

/** Captions that go through the text tower together. */
const TEXT_BATCH = 16;

/** What a CLAP folder holds, checked and not yet on the backend. */
export interface OpenedClap {
  readonly config: ClapConfig;
  readonly root: ParameterRoot;
  readonly model: ClapModel;
  readonly tokenizer: TextTokenizer;
  readonly extractor: ClapFeatureExtractor;
  readonly stateDict: StateDict;
}

/**
 * Reads a transformers folder (config.json, preprocessor_config.json, tokenizer.json, weights): every name and shape
 * is compared, and no weight is read.
 *
 * @throws ModelNotFoundError, InvalidConfigError, StateDictError, WeightsFormatError
 */
export async function openClap(folder: ModelFolder): Promise<OpenedClap> {
  const config = parseClapConfig(await folder.json('config.json'));
  const extractor = new ClapFeatureExtractor(
    parseClapFeatureExtractorConfig(await folder.json('preprocessor_config.json')),
  );
  if (extractor.config.melBins !== config.audio.numMelBins) {
    throw new InvalidConfigError(
      `config.json asks for ${config.audio.numMelBins} mel bins and preprocessor_config.json makes ${extractor.config.melBins}. Take both files from the same model.`,
    );
  }
  const tokenizer = await openTokenizer(folder, config);
  const root = new ParameterRoot();
  const model = new ClapModel(config, root.scope);
  const stateDict = await openComponentStateDict(folder, '');
  root.check(stateDict, CLAP_IGNORED_KEYS);
  return { config, root, model, tokenizer, extractor, stateDict };
}

async function openTokenizer(folder: ModelFolder, config: ClapConfig): Promise<TextTokenizer> {
  const given = folder.has('tokenizer_config.json') ? await folder.json('tokenizer_config.json') : {};
  const fields = typeof given === 'object' && given !== null ? given : {};
  const { maxPositionEmbeddings, padTokenId, vocabSize } = config.text;
  // RoBERTa counts positions from pad + 1 on.
  const most = maxPositionEmbeddings - padTokenId - 1;
  const asked = 'model_max_length' in fields ? Number(fields.model_max_length) : most;
  const tokenizer = new TextTokenizer(await folder.json('tokenizer.json'), {
    ...fields,
    model_max_length: Math.min(most, asked),
  });
  if (tokenizer.vocabularySize > vocabSize) {
    throw new InvalidConfigError(
      `tokenizer.json has ${tokenizer.vocabularySize} tokens, the text tower of config.json ${vocabSize}. Take both files from the same model.`,
    );
  }
  return tokenizer;
}

/** A CLAP on the backend: captions and sounds to embeddings of length 1. */
export class ClapEncoder {
  private constructor(private readonly opened: OpenedClap) {}

  /** @throws all that `openClap` throws; the signal's reason when aborted */
  static async load(folder: ModelFolder, signal?: AbortSignal): Promise<ClapEncoder> {
    const opened = await openClap(folder);
    await opened.root.load(opened.stateDict, {
      ignoreUnexpected: CLAP_IGNORED_KEYS,
      ...(signal ? { signal } : {}),
    });
    return new ClapEncoder(opened);
  }

  /** Bytes on the backend. */
  get byteLength(): number {
    return this.opened.root.byteLength;
  }

  /** @returns one [projectionDim] for each prompt */
  async embedText(prompts: readonly string[], signal?: AbortSignal): Promise<readonly Float32Array[]> {
    const out: Float32Array[] = [];
    for (let start = 0; start < prompts.length; start += TEXT_BATCH) {
      signal?.throwIfAborted();
      const some = prompts.slice(start, start + TEXT_BATCH);
      const { inputIds, attentionMask, length } = this.opened.tokenizer.encodeBatch(some);
      const features = tf.tidy(() =>
        this.opened.model.textFeatures(
          tf.tensor2d(inputIds, [some.length, length], 'int32'),
          tf.tensor2d(attentionMask, [some.length, length]),
        ),
      );
      out.push(...(await rowsOf(features, 'text')));
    }
    return out;
  }

  /** @param place 0…1: where a sound that is too long is cropped @returns [projectionDim] */
  async embedAudio(audio: Float32Array, sampleRateHz: number, place: number): Promise<Float32Array> {
    const { data, frames, melBins } = this.opened.extractor.extract(audio, sampleRateHz, place);
    const features = tf.tidy(() => this.opened.model.audioFeatures(tf.tensor3d(data, [1, frames, melBins])));
    const [row = new Float32Array(0)] = await rowsOf(features, 'audio');
    return row;
  }

  dispose(): void {
    this.opened.root.dispose();
  }
}

/** The rows of [B, D], read back; the tensor is disposed. */
async function rowsOf(features: tf.Tensor2D, tower: string): Promise<readonly Float32Array[]> {
  const [count, width] = features.shape;
  let values: Float32Array;
  try {
    values = (await features.data()) as Float32Array;
  } finally {
    features.dispose();
  }
  if (!values.every(Number.isFinite)) {
    throw new NonFiniteError(
      `CLAP’s ${tower} tower made NaN or infinity. Try the other backend, or import the model in float32.`,
    );
  }
  return Array.from({ length: count }, (_, row) => values.slice(row * width, (row + 1) * width));
}
