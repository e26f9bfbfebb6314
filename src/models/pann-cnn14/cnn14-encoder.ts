import * as tf from '@tensorflow/tfjs-core';
import { melDecibels, resample } from '../../audio';
import {
  InvalidConfigError,
  InvalidInputError,
  ModelNotFoundError,
  NonFiniteError,
  WeightsFormatError,
} from '../../common/errors';
import { ParameterRoot } from '../../nn';
import {
  isLegacyTorchFile,
  type ModelFolder,
  namesInCommand,
  openWeights,
  type StateDict,
} from '../../weights';
import { Cnn14 } from './cnn14';
import { type Cnn14Config, cnn14Config } from './config';
import { CNN14_IGNORED_KEYS, pannStateDict } from './key-map';

const WEIGHTS = /\.(safetensors|pth|pt|ckpt|bin)$/;
/** A minute at 64 channels takes 400 MB while it is heard. */
const MAX_SECONDS = 60;

/** What PANNs' files hold, checked and not yet on the backend. */
export interface OpenedCnn14 {
  readonly config: Cnn14Config;
  readonly root: ParameterRoot;
  readonly model: Cnn14;
  readonly stateDict: StateDict;
}

export interface HeardByCnn14 {
  /** [classes], 0…1 */
  readonly probabilities: Float32Array;
  /** [embeddingWidth] */
  readonly embedding: Float32Array;
}

/**
 * Reads a published Cnn14 (.pth of torch 1.6 or newer, safetensors): every name and shape is compared, and no weight but
 * the mel filters is read.
 *
 * @throws ModelNotFoundError, InvalidConfigError, StateDictError, WeightsFormatError
 */
export async function openCnn14(folder: ModelFolder): Promise<OpenedCnn14> {
  const paths = folder.list().filter((path) => WEIGHTS.test(path));
  const [path] = paths;
  if (path === undefined || paths.length > 1) {
    throw new ModelNotFoundError(
      `PANNs are one file of weights (Cnn14_mAP=0.431.pth, Cnn14_16k_mAP=0.438.pth or a safetensors file); there ${path === undefined ? 'is none' : `are ${paths.length}: ${paths.slice(0, 4).join(', ')}`}. Choose one.`,
    );
  }
  if (/DecisionLevel/i.test(path)) {
    throw new InvalidConfigError(
      `${path} names events along the time: its weights look like Cnn14's and mean something else. Take Cnn14_mAP=0.431.pth or Cnn14_16k_mAP=0.438.pth.`,
    );
  }
  const blob = await folder.blob(path);
  if (await isLegacyTorchFile(blob)) throw new WeightsFormatError(legacyMessage(path));
  const stateDict = pannStateDict(await openWeights(blob, path));
  const config = await cnn14Config(stateDict, path);
  const root = new ParameterRoot();
  const model = new Cnn14(config, root.scope);
  root.check(stateDict, CNN14_IGNORED_KEYS);
  return { config, root, model, stateDict };
}

/** The published files hold the training's sampler beside the model, which torch loads only without `weights_only`. */
function legacyMessage(path: string): string {
  const { name, renamed } = namesInCommand(path);
  return (
    `${path} was saved by torch before 1.6, in a form that cannot be read by parts. Save its weights again, then choose ${renamed}: ` +
    `python -c "import torch; torch.save({'model': torch.load('${name}', map_location='cpu', weights_only=False)['model']}, '${renamed}')" ` +
    '(weights_only=False runs what is in the file: do this with the file of its authors only, Zenodo record 3987831).'
  );
}

/** A Cnn14 on the backend: sounds to the probabilities of AudioSet's classes. */
export class Cnn14Encoder {
  private constructor(private readonly opened: OpenedCnn14) {}

  /** @throws all that `openCnn14` throws; the signal's reason when aborted */
  static async load(folder: ModelFolder, signal?: AbortSignal): Promise<Cnn14Encoder> {
    const opened = await openCnn14(folder);
    await opened.root.load(opened.stateDict, {
      ignoreUnexpected: CNN14_IGNORED_KEYS,
      ...(signal ? { signal } : {}),
    });
    return new Cnn14Encoder(opened);
  }

  /** Bytes on the backend. */
  get byteLength(): number {
    return this.opened.root.byteLength;
  }

  /**
   * @param audio [samples], mono, −1…1, at any rate: it is brought to the model's
   * @throws InvalidInputError for a sound too short or too long, NonFiniteError, the signal's reason between two blocks
   */
  async hear(audio: Float32Array, sampleRateHz: number, signal?: AbortSignal): Promise<HeardByCnn14> {
    const { model, config } = this.opened;
    checkSound(audio, sampleRateHz, ((model.minFrames - 1) * config.hopLengthSamples) / config.sampleRateHz);
    const { data, frames, melBins } = melDecibels(resample(audio, sampleRateHz, config.sampleRateHz), config);
    let x = tf.tidy(() => model.normalise(tf.tensor3d(data, [1, frames, melBins])));
    try {
      for (const block of model.blocks) {
        const next = block.forward(x);
        x.dispose();
        x = next;
        await new Promise((resolve) => setTimeout(resolve)); // a cancellation is a message
        signal?.throwIfAborted();
      }
      const { clipwiseOutput, embedding } = model.classify(x);
      try {
        const heard = {
          probabilities: (await clipwiseOutput.data()) as Float32Array,
          embedding: (await embedding.data()) as Float32Array,
        };
        checkFinite(heard);
        return heard;
      } finally {
        tf.dispose([clipwiseOutput, embedding]);
      }
    } finally {
      x.dispose();
    }
  }

  dispose(): void {
    this.opened.root.dispose();
  }
}

function checkSound(audio: Float32Array, sampleRateHz: number, minSeconds: number): void {
  const seconds = audio.length / sampleRateHz;
  if (seconds < minSeconds || seconds > MAX_SECONDS) {
    throw new InvalidInputError(
      `PANNs hear sounds of ${minSeconds.toFixed(2)} to ${MAX_SECONDS} seconds, but one of ${seconds.toFixed(2)} came. ${seconds > MAX_SECONDS ? 'Cut it.' : 'Take a longer one.'}`,
    );
  }
  if (audio.every(Number.isFinite)) return;
  throw new InvalidInputError('PANNs need a sound of finite samples, but one holds NaN or infinity.');
}

function checkFinite({ probabilities, embedding }: HeardByCnn14): void {
  if (probabilities.every(Number.isFinite) && embedding.every(Number.isFinite)) return;
  throw new NonFiniteError(
    'Cnn14 made NaN or infinity. Try the other backend, or import the model again: its file may be damaged.',
  );
}
