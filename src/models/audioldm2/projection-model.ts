import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { weightValues } from '../../gpu/kernels';
import { Linear, type Parameter, type ParameterScope } from '../../nn';
import { ConfigReader } from '../config-reader';

export interface Audioldm2ProjectionConfig {
  /** Width of CLAP's embedding. */
  readonly textEncoderDim: number;
  /** Width of T5's states. */
  readonly textEncoder1Dim: number;
  readonly languageModelDim: number;
}

/** Embeddings and which of them count. */
export interface MaskedStates {
  readonly states: tf.Tensor3D; // [B, L, D]
  readonly mask: tf.Tensor2D; // [B, L]
}

/**
 * Reads a diffusers AudioLDM2ProjectionModel config.json.
 *
 * @throws InvalidConfigError naming the field; among them those of the speech models, whose text encoder is another
 */
export function parseAudioldm2ProjectionConfig(json: unknown): Audioldm2ProjectionConfig {
  const reader = new ConfigReader(json, 'the projection model');
  reader.only('_class_name', 'AudioLDM2ProjectionModel');
  reader.only('use_learned_position_embedding', null);
  const config = {
    textEncoderDim: reader.integer('text_encoder_dim'),
    textEncoder1Dim: reader.integer('text_encoder_1_dim'),
    // diffusers spells it so.
    languageModelDim: reader.integer('langauge_model_dim'),
  };
  reader.refuseUnread(['max_seq_length']);
  return config;
}

/** One text encoder's states at the language model's width, between a learned start and a learned end. */
class Projection {
  readonly #linear: Linear;
  readonly #start: Parameter; // [D]
  readonly #end: Parameter; // [D]

  constructor(
    params: ParameterScope,
    suffix: '' | '_1',
    width: number,
    private readonly languageModelDim: number,
  ) {
    this.#linear = new Linear(params.child(`projection${suffix}`), width, languageModelDim);
    this.#start = params.weight(`sos_embed${suffix}`, [languageModelDim], 'vector');
    this.#end = params.weight(`eos_embed${suffix}`, [languageModelDim], 'vector');
  }

  /** [B, L, width] -> [B, L + 2, D] */
  forward({ states, mask }: MaskedStates): MaskedStates {
    const batch = states.shape[0];
    const ends = [this.#start, this.#end].map((end) =>
      tf.broadcastTo<tf.Rank.R3>(tf.reshape(weightValues(end), [1, 1, this.languageModelDim]), [
        batch,
        1,
        this.languageModelDim,
      ]),
    ) as [tf.Tensor3D, tf.Tensor3D];
    const one = tf.ones<tf.Rank.R2>([batch, 1]);
    return {
      states: tf.concat([ends[0], this.#linear.forward(states) as tf.Tensor3D, ends[1]], 1),
      mask: tf.concat([one, tf.cast(mask, 'float32'), one], 1),
    };
  }
}

/** diffusers' AudioLDM2ProjectionModel: CLAP's embedding and T5's states, one behind the other, for the language model. */
export class Audioldm2ProjectionModel {
  readonly #projection: Projection;
  readonly #projection1: Projection;

  constructor(
    readonly config: Audioldm2ProjectionConfig,
    params: ParameterScope,
  ) {
    const { textEncoderDim, textEncoder1Dim, languageModelDim } = config;
    this.#projection = new Projection(params, '', textEncoderDim, languageModelDim);
    this.#projection1 = new Projection(params, '_1', textEncoder1Dim, languageModelDim);
  }

  /**
   * @param first of CLAP, [B, L, textEncoderDim]
   * @param second of T5, [B, S, textEncoder1Dim]
   * @returns [B, L + S + 4, languageModelDim] and its mask; the caller disposes both
   */
  forward(first: MaskedStates, second: MaskedStates): MaskedStates {
    const { textEncoderDim, textEncoder1Dim } = this.config;
    const { B, L } = matchShape('hiddenStates', first.states.shape, ['B', 'L', textEncoderDim]);
    const { S } = matchShape('hiddenStates1', second.states.shape, [B!, 'S', textEncoder1Dim]);
    matchShape('attentionMask', first.mask.shape, [B!, L!]);
    matchShape('attentionMask1', second.mask.shape, [B!, S!]);
    return tf.tidy(() => {
      const parts = [this.#projection.forward(first), this.#projection1.forward(second)];
      return {
        states: tf.concat(
          parts.map(({ states }) => states),
          1,
        ),
        mask: tf.concat(
          parts.map(({ mask }) => mask),
          1,
        ),
      };
    });
  }
}
