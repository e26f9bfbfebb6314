import * as tf from '@tensorflow/tfjs-core';
import type { ParameterScope } from '../../nn';
import { ClapProjectionLayer, toLengthOne } from './clap-model';
import type { ClapTextWithProjectionConfig } from './config';
import { ClapTextModel } from './text-model';

/** transformers' ClapTextModelWithProjection: the text tower alone, which is AudioLDM's text encoder. */
export class ClapTextModelWithProjection {
  readonly #textModel: ClapTextModel;
  readonly #textProjection: ClapProjectionLayer;

  constructor(
    readonly config: ClapTextWithProjectionConfig,
    params: ParameterScope,
  ) {
    const { hiddenSize, projectionDim, projectionHiddenAct } = config;
    this.#textModel = new ClapTextModel(config, params.child('text_model'));
    this.#textProjection = new ClapProjectionLayer(
      params.child('text_projection'),
      hiddenSize,
      projectionDim,
      projectionHiddenAct,
    );
  }

  /**
   * @param inputIds int32 [B, L]
   * @param attentionMask [B, L], 1 for a token, 0 for padding
   * @returns [B, projectionDim], each of length 1
   */
  forward(inputIds: tf.Tensor2D, attentionMask: tf.Tensor2D): tf.Tensor2D {
    return tf.tidy(() =>
      toLengthOne(this.#textProjection.forward(this.#textModel.forward(inputIds, attentionMask))),
    );
  }
}
