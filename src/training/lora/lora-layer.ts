import * as tf from '@tensorflow/tfjs-core';
import { type Conv2dOptions, conv2d, linear } from '../../gpu/kernels';
import type { LayerAdapter } from '../../nn';
import type { TrainableWeight } from '../trainable-weight';

/** Scaled where it is narrow; alpha is the rank more often than not. */
function scaled(narrow: tf.Tensor, scaling: number): tf.Tensor {
  return scaling === 1 ? narrow : tf.mul(narrow, scaling);
}

/** What LoRA adds to a linear layer: (alpha / rank) x A B (arXiv 2106.09685; PEFT's `lora.Linear`). */
export class LoraLayer implements LayerAdapter {
  constructor(
    readonly down: TrainableWeight, // lora_A: [in, rank]
    readonly up: TrainableWeight, // lora_B: [rank, out]
    readonly scaling: number,
  ) {}

  /** [..., in] -> [..., out] */
  delta(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => linear(scaled(linear(x, this.down), this.scaling), this.up));
  }
}

/** The same of a convolution: A has its kernel, stride and padding, B is a convolution of 1x1 (PEFT's `lora.Conv2d`). */
export class LoraConvLayer implements LayerAdapter {
  constructor(
    readonly down: TrainableWeight, // lora_A: [kh, kw, in, rank]
    readonly up: TrainableWeight, // lora_B: [rank, out]
    readonly scaling: number,
    readonly options: Conv2dOptions,
  ) {}

  /** [B, H, W, in] -> [B, Hout, Wout, out] */
  delta(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => {
      const narrow = conv2d(x as tf.Tensor4D, this.down, null, this.options); // [B, Hout, Wout, rank]
      return linear(scaled(narrow, this.scaling), this.up);
    });
  }
}

/** What two adapters of one layer add together. */
export class StackedAdapters implements LayerAdapter {
  constructor(
    readonly first: LayerAdapter,
    readonly second: LayerAdapter,
  ) {}

  delta(x: tf.Tensor): tf.Tensor {
    return tf.tidy(() => tf.add(this.first.delta(x), this.second.delta(x)));
  }
}
