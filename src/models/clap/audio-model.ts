import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { BatchNorm2d, Conv2d, LayerNorm, type ParameterScope } from '../../nn';
import { ClapAudioStage } from './audio-stage';
import { bicubicTaps } from './bicubic';
import type { ClapAudioConfig } from './config';

/** HTSAT as transformers' ClapAudioModel has it (without feature fusion): a log-mel spectrogram to one vector. */
export class ClapAudioModel {
  /** Over the mel bins. */
  readonly #batchNorm: BatchNorm2d;
  readonly #projection: Conv2d;
  readonly #patchNorm: LayerNorm | null;
  readonly #stages: readonly ClapAudioStage[];
  readonly #norm: LayerNorm;

  constructor(
    readonly config: ClapAudioConfig,
    params: ParameterScope,
  ) {
    const { numMelBins, patchEmbedsHiddenSize, patchSize, patchStride, depths } = config;
    const encoder = params.child('audio_encoder');
    this.#batchNorm = new BatchNorm2d(encoder.child('batch_norm'), numMelBins);
    const patchEmbed = encoder.child('patch_embed');
    this.#projection = new Conv2d(patchEmbed.child('proj'), 1, patchEmbedsHiddenSize, patchSize, {
      stride: patchStride,
      padding: (patchSize - patchStride) / 2,
    });
    this.#patchNorm = config.patchLayerNorm
      ? new LayerNorm(patchEmbed.child('norm'), patchEmbedsHiddenSize)
      : null;
    this.#stages = depths.map((_, i) => new ClapAudioStage(encoder.child(`layers.${i}`), config, i));
    this.#norm = new LayerNorm(encoder.child('norm'), patchEmbedsHiddenSize * 2 ** (depths.length - 1));
  }

  /**
   * @param features log-mel in dB, [B, T, F]; at most specSize² / F frames
   * @returns [B, D], D = patchEmbedsHiddenSize · 2^(stages − 1)
   */
  forward(features: tf.Tensor3D): tf.Tensor2D {
    matchShape('features', features.shape, ['B', 'T', this.config.numMelBins]);
    return tf.tidy(() => {
      const patches = tf.tidy(() => this.#projection.forward(this.#fold(this.#batchNorm.forward(features))));
      const [batch, height, width, channels] = patches.shape;
      const flat = tf.reshape(patches, [batch, height * width, channels]) as tf.Tensor3D;
      let hidden = this.#patchNorm ? this.#patchNorm.forward(flat) : flat;
      for (const stage of this.#stages) {
        const next = stage.forward(hidden);
        hidden.dispose();
        hidden = next;
      }
      // Upstream groups places by frequency before it averages over all of them: the mean is the same.
      return tf.mean(this.#norm.forward(hidden), 1) as tf.Tensor2D;
    });
  }

  /** Time stretched to fill the square, then cut into stretches that lie one below the other. [B, S, S, 1] */
  #fold(features: tf.Tensor3D): tf.Tensor4D {
    const { specSize, numMelBins } = this.config;
    const ratio = specSize / numMelBins;
    const stretched = resizeTime(features, specSize * ratio); // [B, S · ratio, F]
    const batch = features.shape[0];
    const stretches = tf.reshape(stretched, [batch, ratio, specSize, numMelBins]);
    return tf.reshape(tf.transpose(stretches, [0, 1, 3, 2]), [batch, specSize, specSize, 1]);
  }
}

/** torch's bicubic interpolation with align_corners along time. [B, T, F] → [B, frames, F] */
function resizeTime(x: tf.Tensor3D, frames: number): tf.Tensor3D {
  if (x.shape[1] === frames) return x;
  const taps = bicubicTaps(x.shape[1], frames).map(({ indices, weights }) =>
    tf.mul<tf.Tensor3D>(tf.gather(x, tf.tensor1d(indices, 'int32'), 1), tf.tensor3d(weights, [1, frames, 1])),
  );
  return tf.addN(taps);
}
