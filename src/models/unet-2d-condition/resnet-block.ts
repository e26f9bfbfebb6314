import * as tf from '@tensorflow/tfjs-core';
import { required } from '../../common/assert';
import { type Activation, activate } from '../../gpu/kernels';
import { type AdaptableLayer, Conv2d, GroupNorm, Linear, type ParameterScope } from '../../nn';

export interface ResnetBlock2DOptions {
  /** null: no time embedding (the autoencoder's blocks). */
  readonly timeEmbedDim: number | null;
  readonly groups: number;
  readonly eps: number;
  readonly activation: Activation;
  /** `default` adds the time embedding before the second norm; `scale_shift` scales and shifts after it. */
  readonly timeScaleShift: 'default' | 'scale_shift';
  readonly outputScaleFactor: number;
}

/** Two convolutions behind group norms, with the time embedding between them (diffusers' `ResnetBlock2D`). */
export class ResnetBlock2D {
  readonly #norm1: GroupNorm;
  readonly #conv1: Conv2d;
  readonly #timeEmbProj: Linear | null;
  readonly #norm2: GroupNorm;
  readonly #conv2: Conv2d;
  readonly #convShortcut: Conv2d | null;

  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    private readonly options: ResnetBlock2DOptions,
  ) {
    const { groups, eps, timeScaleShift, timeEmbedDim } = options;
    this.#norm1 = new GroupNorm(params.child('norm1'), inChannels, { groups, eps });
    this.#conv1 = new Conv2d(params.child('conv1'), inChannels, outChannels, 3, { padding: 1 });
    this.#timeEmbProj =
      timeEmbedDim === null
        ? null
        : new Linear(
            params.child('time_emb_proj'),
            timeEmbedDim,
            timeScaleShift === 'scale_shift' ? outChannels * 2 : outChannels,
          );
    this.#norm2 = new GroupNorm(params.child('norm2'), outChannels, { groups, eps });
    this.#conv2 = new Conv2d(params.child('conv2'), outChannels, outChannels, 3, { padding: 1 });
    this.#convShortcut =
      inChannels === outChannels
        ? null
        : new Conv2d(params.child('conv_shortcut'), inChannels, outChannels, 1);
  }

  adaptableLayers(): readonly AdaptableLayer[] {
    const layers = [this.#conv1, this.#timeEmbProj, this.#conv2, this.#convShortcut];
    return layers.filter((layer) => layer !== null);
  }

  /**
   * @param input [B, H, W, inChannels]
   * @param activatedTemb activation(time embedding), [B or 1, timeEmbedDim]: the same for every block of a pass, so it
   *   is computed once by the model. Not given when `timeEmbedDim` is null.
   * @returns [B, H, W, outChannels]
   */
  forward(input: tf.Tensor4D, activatedTemb?: tf.Tensor2D): tf.Tensor4D {
    return tf.tidy(() => {
      const normed = tf.tidy(() => {
        const convolved = this.#conv1.forward(this.#norm1.forward(input, this.options.activation)); // [B, H, W, outChannels]
        if (this.#timeEmbProj === null) return this.#norm2.forward(convolved, this.options.activation);
        const temb = required(activatedTemb, "the time embedding of a block that declares one's width");
        return this.#modulate(convolved, this.#timeEmbProj.forward(temb) as tf.Tensor2D);
      });
      const hidden = this.#conv2.forward(normed);
      normed.dispose();
      const shortcut = this.#convShortcut ? this.#convShortcut.forward(input) : input;
      const sum = tf.add<tf.Tensor4D>(shortcut, hidden);
      return this.options.outputScaleFactor === 1
        ? sum
        : tf.div<tf.Tensor4D>(sum, this.options.outputScaleFactor);
    });
  }

  /** The time embedding, the second norm and the activation. `temb` is [B or 1, outChannels], twice that to scale and shift. */
  #modulate(convolved: tf.Tensor4D, temb: tf.Tensor2D): tf.Tensor4D {
    const perChannel = (part: tf.Tensor): tf.Tensor => tf.reshape(part, [temb.shape[0], 1, 1, -1]);
    if (this.options.timeScaleShift === 'default') {
      return this.#norm2.forward(tf.add<tf.Tensor4D>(convolved, perChannel(temb)), this.options.activation);
    }
    const [scale, shift] = tf.split(temb, 2, 1) as [tf.Tensor2D, tf.Tensor2D];
    const normed = this.#norm2.forward(convolved);
    const modulated = tf.add<tf.Tensor4D>(tf.mul(normed, tf.add(perChannel(scale), 1)), perChannel(shift));
    return activate(modulated, this.options.activation);
  }
}
