import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { leakyRelu, tanh } from '../../gpu/kernels';
import { Conv1d, ConvTranspose1d, type Parameter, type ParameterScope, runInSequence } from '../../nn';
import { contextFrames, type HifiGanConfig, outputLength, samplesPerFrame, upsamplePadding } from './config';
import { HifiGanResidualBlock } from './residual-block';

/** torch's default slope, which the reference uses before the last convolution whatever the config says. */
const LAST_SLOPE = 0.01;

/**
 * The vocoder from log-mel spectrogram to waveform (transformers' `SpeechT5HifiGan`; Kong et al. 2020): transposed
 * convolutions that raise the rate, each followed by residual blocks of several kernel sizes whose mean goes on.
 *
 * There are no norms over time, so tiles of mel give the samples of the whole: `forwardInTiles`.
 */
export class HifiGan {
  readonly sampleRateHz: number;
  /** Mel hop in samples: the product of the upsampling rates. */
  readonly samplesPerFrame: number;
  readonly #convPre: Conv1d;
  readonly #stages: readonly UpsamplingStage[];
  readonly #convPost: Conv1d;
  /** Mean and scale of the mel bins, [F] each, when the config normalises. */
  readonly #normalization: { readonly mean: Parameter; readonly scale: Parameter } | null;

  constructor(
    readonly config: HifiGanConfig,
    params: ParameterScope,
  ) {
    const { modelInDim, upsampleInitialChannel: initial, upsampleRates } = config;
    this.sampleRateHz = config.sampleRateHz;
    this.samplesPerFrame = samplesPerFrame(config);
    this.#convPre = new Conv1d(params.child('conv_pre'), modelInDim, initial, 7, { padding: 3 });
    this.#stages = upsampleRates.map((_, i) => new UpsamplingStage(params, config, i));
    this.#convPost = new Conv1d(params.child('conv_post'), initial >> upsampleRates.length, 1, 7, {
      padding: 3,
    });
    this.#normalization = config.normalizeBefore
      ? {
          mean: params.weight('mean', [modelInDim], 'vector'),
          scale: params.weight('scale', [modelInDim], 'vector'),
        }
      : null;
  }

  /**
   * @param mel natural-log mel, [B, T, F]
   * @param afterStage see `runInSequence`
   * @returns waveforms within −1…1, [B, samples] with samples = `outputLength(config, T)`, untrimmed
   * @throws InvalidInputError for another number of mel bins
   */
  forward(mel: tf.Tensor3D, afterStage?: () => void): tf.Tensor2D {
    matchShape('HifiGan: mel', mel.shape, ['B', 'T', this.config.modelInDim]);
    return tf.tidy(() => {
      const first = this.#convPre.forward(this.#normalize(mel)); // [B, T, initial channels]
      const x = runInSequence(first, this.#stages, afterStage); // [B, samples, channels of the last stage]
      const audio = tanh(this.#convPost.forward(leakyRelu(x, LAST_SLOPE))); // [B, samples, 1]
      return tf.squeeze<tf.Tensor2D>(audio, [2]);
    });
  }

  /**
   * The same waveform from tiles of mel, each with the frames beside it that its samples depend on: memory for
   * activations grows with the tile, not with the clip.
   *
   * @param framesPerTile frames of its own that a tile has at most, ≥ 1
   * @param afterStage see `runInSequence`; also called between tiles
   * @returns as of `forward`
   */
  forwardInTiles(mel: tf.Tensor3D, framesPerTile: number, afterStage?: () => void): tf.Tensor2D {
    const [batch, frames, bins] = mel.shape;
    if (frames <= framesPerTile) return this.forward(mel, afterStage);
    const context = contextFrames(this.config);
    const starts = Array.from({ length: Math.ceil(frames / framesPerTile) }, (_, i) => i * framesPerTile);
    return tf.tidy(() => {
      const tiles = starts.map((start) => {
        const end = Math.min(frames, start + framesPerTile);
        const from = Math.max(0, start - context);
        const to = Math.min(frames, end + context);
        const tile = tf.tidy(() => {
          const samples = this.forward(tf.slice(mel, [0, from, 0], [batch, to - from, bins]), afterStage);
          // The last tile has the samples that hang over, too.
          const length =
            end === frames
              ? outputLength(this.config, frames) - start * this.samplesPerFrame
              : (end - start) * this.samplesPerFrame;
          return tf.slice(samples, [0, (start - from) * this.samplesPerFrame], [batch, length]);
        });
        afterStage?.();
        return tile;
      });
      return tf.concat(tiles, 1);
    });
  }

  #normalize(mel: tf.Tensor3D): tf.Tensor3D {
    if (this.#normalization === null) return mel;
    const { mean, scale } = this.#normalization;
    return tf.div(tf.sub(mel, mean.tensor), scale.tensor);
  }
}

/** Upsampling by one rate, then the mean of the residual blocks: [B, T, 2 C] -> [B, T', C]. */
class UpsamplingStage {
  readonly #upsampler: ConvTranspose1d;
  readonly #resblocks: readonly HifiGanResidualBlock[];
  readonly #slope: number;

  constructor(params: ParameterScope, config: HifiGanConfig, index: number) {
    const rate = config.upsampleRates[index]!;
    const kernel = config.upsampleKernelSizes[index]!;
    const channels = config.upsampleInitialChannel >> (index + 1);
    this.#slope = config.leakyReluSlope;
    this.#upsampler = new ConvTranspose1d(
      params.child(`upsampler.${index}`),
      config.upsampleInitialChannel >> index,
      channels,
      kernel,
      { stride: rate, padding: upsamplePadding(kernel, rate) },
    );
    const count = config.resblockKernelSizes.length;
    this.#resblocks = config.resblockKernelSizes.map(
      (size, j) =>
        new HifiGanResidualBlock(
          params.child(`resblocks.${index * count + j}`),
          channels,
          size,
          config.resblockDilationSizes[j]!,
          config.leakyReluSlope,
        ),
    );
  }

  forward(x: tf.Tensor3D): tf.Tensor3D {
    return tf.tidy(() => {
      const upsampled = tf.tidy(() => this.#upsampler.forward(leakyRelu(x, this.#slope)));
      let sum = this.#resblocks[0]!.forward(upsampled);
      for (const resblock of this.#resblocks.slice(1)) {
        const next = tf.tidy(() => tf.add<tf.Tensor3D>(sum, resblock.forward(upsampled)));
        sum.dispose();
        sum = next;
      }
      return tf.div<tf.Tensor3D>(sum, this.#resblocks.length);
    });
  }
}
