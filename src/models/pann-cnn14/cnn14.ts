import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../common/assert';
import { activate } from '../../gpu/kernels';
import { BatchNorm2d, Conv2d, Linear, type ParameterScope } from '../../nn';
import type { Cnn14Config } from './config';

/** Two 3 x 3 convolutions, each behind a batch norm and ReLU, and the mean over squares of `pool`. */
class ConvBlock {
  readonly #layers: readonly { readonly conv: Conv2d; readonly bn: BatchNorm2d }[];

  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    private readonly pool: number,
  ) {
    this.#layers = [1, 2].map((i) => ({
      conv: new Conv2d(params.child(`conv${i}`), i === 1 ? inChannels : outChannels, outChannels, 3, {
        padding: 1,
        bias: false,
      }),
      bn: new BatchNorm2d(params.child(`bn${i}`), outChannels),
    }));
  }

  /** [B, T, F, in] → [B, floor(T / pool), floor(F / pool), out] */
  forward(x: tf.Tensor4D): tf.Tensor4D {
    return tf.tidy(() => {
      let hidden = x;
      for (const { conv, bn } of this.#layers) {
        const next = tf.tidy(() => activate(bn.forward(conv.forward(hidden)), 'relu'));
        if (hidden !== x) hidden.dispose();
        hidden = next;
      }
      return this.pool === 1 ? hidden : tf.avgPool(hidden, this.pool, this.pool, 'valid');
    });
  }
}

/** A type, not an interface: `tf.tidy` returns those. */
export type Cnn14Output = {
  /** Probability of each class, independent of each other, [B, classes]. */
  clipwiseOutput: tf.Tensor2D;
  /** [B, embeddingWidth] */
  embedding: tf.Tensor2D;
};

/** panns_inference's Cnn14 in evaluation, from the log-mel on: no augmentation, no dropout. */
export class Cnn14 {
  readonly #bn0: BatchNorm2d;
  readonly #blocks: readonly ConvBlock[];
  readonly #fc1: Linear;
  readonly #fcAudioset: Linear;

  constructor(
    readonly config: Cnn14Config,
    params: ParameterScope,
  ) {
    const { channels, melBins, embeddingWidth, classCount } = config;
    this.#bn0 = new BatchNorm2d(params.child('bn0'), melBins);
    this.#blocks = channels.map(
      (width, i) =>
        new ConvBlock(
          params.child(`conv_block${i + 1}`),
          channels[i - 1] ?? 1,
          width,
          i === channels.length - 1 ? 1 : 2,
        ),
    );
    this.#fc1 = new Linear(params.child('fc1'), channels.at(-1) ?? 0, embeddingWidth);
    this.#fcAudioset = new Linear(params.child('fc_audioset'), embeddingWidth, classCount);
  }

  /** Frames of log-mel that leave one behind the last pooling. */
  get minFrames(): number {
    return 2 ** (this.#blocks.length - 1);
  }

  /** Of one `forward`, in their order: each [B, T, F, C] → [B, T', F', C']. The caller may wait between them. */
  get blocks(): readonly { forward(x: tf.Tensor4D): tf.Tensor4D }[] {
    return this.#blocks;
  }

  /** Each mel bin by its running mean and variance, as an image of one channel. [B, T, F] → [B, T, F, 1] */
  normalise(features: tf.Tensor3D): tf.Tensor4D {
    matchShape('features', features.shape, ['B', 'T', this.config.melBins]);
    return tf.tidy(() => tf.expandDims<tf.Tensor4D>(this.#bn0.forward(features), 3));
  }

  /** The mean over frequency, then the maximum and the mean over time, then the classifier. [B, T, F, C] */
  classify(x: tf.Tensor4D): Cnn14Output {
    return tf.tidy(() => {
      const overTime = tf.mean<tf.Tensor3D>(x, 2); // [B, T, C]
      const pooled = tf.add(tf.max(overTime, 1), tf.mean(overTime, 1)); // [B, C]
      const embedding = this.#fc1.forward(pooled, 'relu') as tf.Tensor2D;
      return { embedding, clipwiseOutput: tf.sigmoid(this.#fcAudioset.forward(embedding)) as tf.Tensor2D };
    });
  }

  /** @param features log-mel in dB, [B, T, F], at least `minFrames` frames */
  forward(features: tf.Tensor3D): Cnn14Output {
    return tf.tidy(() => {
      let x = this.normalise(features);
      for (const block of this.#blocks) {
        const next = block.forward(x);
        x.dispose();
        x = next;
      }
      return this.classify(x);
    });
  }
}
