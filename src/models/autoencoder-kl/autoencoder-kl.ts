import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { Conv2d, type ParameterScope } from '../../nn';
import type { AutoencoderKLConfig } from './config';
import { Decoder, Encoder } from './encoder-decoder';

/** The posterior over latents, a diagonal normal; unscaled. */
export interface LatentDistribution {
  readonly mean: tf.Tensor4D; // [B, H, W, latentChannels]
  /** ln of the variance, within −30…20 as in diffusers; [B, H, W, latentChannels]. */
  readonly logVariance: tf.Tensor4D;
}

/** diffusers' clamp of the log-variance: keeps exp() finite. */
const MIN_LOG_VARIANCE = -30;
const MAX_LOG_VARIANCE = 20;

/**
 * The variational autoencoder between log-mel spectrograms and latents (diffusers' `AutoencoderKL`). A spectrogram
 * is an image with H = frames, W = mel bins and one channel, as AudioLDM's and Tango's have it.
 *
 * The decoder takes no tiles: attention in the mid block and every group norm look at the whole clip, so that tiles,
 * however much they overlap, are close to the whole and not equal to it. Where memory is short it goes layer by layer
 * instead (`afterLayer` of `decode`), which is equal.
 */
export class AutoencoderKL {
  /** Multiply latents by this for the diffusion; divide before `decode`. */
  readonly scalingFactor: number;
  /** Frames (and mel bins) of one latent position: 2^(levels−1). */
  readonly downsamplingFactor: number;
  readonly #encoder: Encoder;
  readonly #decoder: Decoder;
  readonly #quantConv: Conv2d | null;
  readonly #postQuantConv: Conv2d | null;

  constructor(
    readonly config: AutoencoderKLConfig,
    params: ParameterScope,
  ) {
    const { latentChannels, scalingFactor, useQuantConv, usePostQuantConv } = config;
    this.scalingFactor = scalingFactor;
    this.downsamplingFactor = 2 ** (config.blockOutChannels.length - 1);
    this.#encoder = new Encoder(params.child('encoder'), config);
    this.#decoder = new Decoder(params.child('decoder'), config);
    this.#quantConv = useQuantConv
      ? new Conv2d(params.child('quant_conv'), 2 * latentChannels, 2 * latentChannels, 1)
      : null;
    this.#postQuantConv = usePostQuantConv
      ? new Conv2d(params.child('post_quant_conv'), latentChannels, latentChannels, 1)
      : null;
  }

  /**
   * @param image [B, T, F, inChannels]; T and F multiples of `downsamplingFactor` come back from `decode` in full
   * @returns the posterior; the caller disposes both tensors
   * @throws InvalidInputError for another number of channels
   */
  encode(image: tf.Tensor4D): LatentDistribution {
    matchShape('AutoencoderKL.encode: image', image.shape, ['B', 'T', 'F', this.config.inChannels]);
    const [mean, logVariance] = tf.tidy(() => {
      const encoded = this.#encoder.forward(image); // [B, H, W, 2 · latentChannels]
      const moments = this.#quantConv ? this.#quantConv.forward(encoded) : encoded;
      const [first, second] = tf.split(moments, 2, 3) as [tf.Tensor4D, tf.Tensor4D];
      return [first, tf.clipByValue(second, MIN_LOG_VARIANCE, MAX_LOG_VARIANCE) as tf.Tensor4D] as const;
    });
    return { mean, logVariance };
  }

  /**
   * @param latents [B, H, W, latentChannels], unscaled: divided by `scalingFactor` already
   * @param afterLayer see `runInSequence`
   * @returns [B, H · downsamplingFactor, W · downsamplingFactor, outChannels]
   * @throws InvalidInputError for another number of channels
   */
  decode(latents: tf.Tensor4D, afterLayer?: () => void): tf.Tensor4D {
    matchShape('AutoencoderKL.decode: latents', latents.shape, ['B', 'H', 'W', this.config.latentChannels]);
    return tf.tidy(() =>
      this.#decoder.forward(this.#postQuantConv ? this.#postQuantConv.forward(latents) : latents, afterLayer),
    );
  }
}
