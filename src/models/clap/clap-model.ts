import * as tf from '@tensorflow/tfjs-core';
import { type Activation, activate } from '../../gpu/kernels';
import { Linear, type ParameterScope } from '../../nn';
import { ClapAudioModel } from './audio-model';
import type { ClapConfig } from './config';
import { ClapTextModel } from './text-model';

/** Two layers into the space that both towers share. */
export class ClapProjectionLayer {
  readonly #linear1: Linear;
  readonly #linear2: Linear;

  constructor(
    params: ParameterScope,
    width: number,
    projectionDim: number,
    private readonly activation: Activation,
  ) {
    this.#linear1 = new Linear(params.child('linear1'), width, projectionDim);
    this.#linear2 = new Linear(params.child('linear2'), projectionDim, projectionDim);
  }

  /** [B, width] → [B, projectionDim] */
  forward(x: tf.Tensor2D): tf.Tensor2D {
    return this.#linear2.forward(activate(this.#linear1.forward(x), this.activation)) as tf.Tensor2D;
  }
}

/**
 * transformers' ClapModel: a text and an audio tower whose embeddings, of length 1, are compared by their cosine.
 * Parameter names are transformers'; LAION's checkpoints go through `laionClapStateDict` first.
 */
export class ClapModel {
  readonly #textModel: ClapTextModel;
  readonly #textProjection: ClapProjectionLayer;
  readonly #audioModel: ClapAudioModel;
  readonly #audioProjection: ClapProjectionLayer;

  constructor(
    readonly config: ClapConfig,
    params: ParameterScope,
  ) {
    const { text, audio, projectionDim, projectionHiddenAct } = config;
    const audioWidth = audio.patchEmbedsHiddenSize * 2 ** (audio.depths.length - 1);
    this.#textModel = new ClapTextModel(text, params.child('text_model'));
    this.#textProjection = new ClapProjectionLayer(
      params.child('text_projection'),
      text.hiddenSize,
      projectionDim,
      projectionHiddenAct,
    );
    this.#audioModel = new ClapAudioModel(audio, params.child('audio_model'));
    this.#audioProjection = new ClapProjectionLayer(
      params.child('audio_projection'),
      audioWidth,
      projectionDim,
      projectionHiddenAct,
    );
  }

  /**
   * @param inputIds int32 [B, L]
   * @param attentionMask [B, L], 1 for a token, 0 for padding
   * @returns [B, projectionDim], each of length 1
   */
  textFeatures(inputIds: tf.Tensor2D, attentionMask: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() =>
      toLengthOne(this.#textProjection.forward(this.#textModel.forward(inputIds, attentionMask))),
    );
  }

  /**
   * @param features log-mel in dB, [B, T, F]; see `ClapFeatureExtractor`
   * @returns [B, projectionDim], each of length 1
   */
  audioFeatures(features: tf.Tensor3D): tf.Tensor2D {
    return tf.tidy(() => toLengthOne(this.#audioProjection.forward(this.#audioModel.forward(features))));
  }
}

/** torch.nn.functional.normalize over the last axis. */
export function toLengthOne(x: tf.Tensor2D): tf.Tensor2D {
  return tf.div(x, tf.maximum(tf.norm(x, 2, -1, true), 1e-12));
}
