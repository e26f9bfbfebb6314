import * as tf from '@tensorflow/tfjs-core';
import { ClapTextModelWithProjection, parseClapTextConfig } from '../../models/clap';
import { parseT5Config, T5EncoderModel } from '../../models/t5';
import type {
  EncoderStates,
  UNet2DConditionInputs,
  UNet2DConditionModel,
} from '../../models/unet-2d-condition';
import type { ParameterScope } from '../../nn';

/** What a prompt is to the UNet: states that it attends to (Tango), or one vector beside the timestep (AudioLDM). */
export interface TextEncoder {
  readonly className: 'T5EncoderModel' | 'ClapTextModelWithProjection';
  readonly vocabSize: number;
  /** Width of the states. */
  readonly width: number;
  readonly conditioning: 'states' | 'class-embedding';
  /**
   * @param inputIds int32 [B, L]
   * @param attentionMask [B, L], 1 for a token, 0 for padding
   * @returns [B, S, D]: S is L for states, 1 for a class embedding
   */
  forward(inputIds: tf.Tensor2D, attentionMask: tf.Tensor2D): tf.Tensor3D;
}

export function buildT5(json: unknown, params: ParameterScope): TextEncoder {
  const config = parseT5Config(json);
  const model = new T5EncoderModel(config, params);
  return {
    className: 'T5EncoderModel',
    vocabSize: config.vocabSize,
    width: config.dModel,
    conditioning: 'states',
    forward: (inputIds, attentionMask) => model.forward(inputIds, attentionMask),
  };
}

/** AudioLDM's: CLAP's embedding of the text, brought to length 1 as `AudioLDMPipeline` does. */
export function buildClap(json: unknown, params: ParameterScope): TextEncoder {
  const config = parseClapTextConfig(json);
  const model = new ClapTextModelWithProjection(config, params);
  return {
    className: 'ClapTextModelWithProjection',
    vocabSize: config.vocabSize,
    width: config.projectionDim,
    conditioning: 'class-embedding',
    forward: (inputIds, attentionMask) =>
      tf.tidy(() => tf.expandDims<tf.Tensor3D>(model.forward(inputIds, attentionMask), 1)),
  };
}

/** A batch of prompts as a UNet takes them, once a generation. */
export class UNetCondition {
  private constructor(
    readonly encoder: EncoderStates | null,
    readonly inputs: UNet2DConditionInputs,
  ) {}

  /** @param states [B, S, D] @param mask [B, S] */
  static of(unet: UNet2DConditionModel, states: tf.Tensor3D, mask?: tf.Tensor2D): UNetCondition {
    if (unet.config.classEmbedding === null) {
      return new UNetCondition(unet.prepareEncoderStates(states, mask), {});
    }
    return new UNetCondition(null, { classLabels: tf.squeeze<tf.Tensor2D>(states, [1]) });
  }

  dispose(): void {
    this.encoder?.dispose();
    this.inputs.classLabels?.dispose();
  }
}
