/** Layers: parameters under PyTorch's names, and the kernel that uses them. */
import * as tf from '@tensorflow/tfjs-core';
import {
  type Activation,
  activate,
  type Conv1dOptions,
  type Conv2dOptions,
  type ConvTranspose1dOptions,
  conv1d,
  conv2d,
  convTranspose1d,
  embedding,
  groupNorm,
  layerNorm,
  linear,
  rmsNorm,
} from '../gpu/kernels';
import type { Parameter } from './parameter';
import type { ParameterScope } from './parameter-tree';

/** What is added to a layer's result, such as the share of a low-rank adapter. */
export interface LayerAdapter {
  /** The layer's input to what is added to its result: [..., in] -> [..., out], [B, H, W, in] -> [B, Hout, Wout, out] */
  delta(x: tf.Tensor): tf.Tensor;
}

/** torch.nn.Linear: [..., in] -> [..., out]. */
export class Linear {
  readonly weight: Parameter; // [in, out]
  readonly bias: Parameter | null; // [out]
  /** Null: the layer as its checkpoint has it. */
  adapter: LayerAdapter | null = null;

  constructor(params: ParameterScope, inFeatures: number, outFeatures: number, { bias = true } = {}) {
    this.weight = params.weight('weight', [outFeatures, inFeatures], 'linear');
    this.bias = bias ? params.weight('bias', [outFeatures], 'vector') : null;
  }

  forward(x: tf.Tensor, activation?: Activation): tf.Tensor {
    const { adapter, weight, bias } = this;
    if (!adapter) return linear(x, weight, bias, activation);
    return tf.tidy(() => activate(tf.add(linear(x, weight, bias), adapter.delta(x)), activation));
  }
}

/** torch.nn.Conv2d: [B, H, W, in] -> [B, Hout, Wout, out]. */
export class Conv2d {
  readonly weight: Parameter; // [kh, kw, in, out]
  readonly bias: Parameter | null; // [out]
  readonly options: Conv2dOptions;
  /** Null: the layer as its checkpoint has it. */
  adapter: LayerAdapter | null = null;

  /** @param kernelSize a square's side, or [height, width] */
  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    kernelSize: number | readonly [number, number],
    { bias = true, ...options }: Conv2dOptions & { readonly bias?: boolean } = {},
  ) {
    const [height, width] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
    this.weight = params.weight('weight', [outChannels, inChannels, height, width], 'conv2d');
    this.bias = bias ? params.weight('bias', [outChannels], 'vector') : null;
    this.options = options;
  }

  forward(x: tf.Tensor4D): tf.Tensor4D {
    const { adapter, weight, bias, options } = this;
    if (!adapter) return conv2d(x, weight, bias, options);
    return tf.tidy(() => tf.add<tf.Tensor4D>(conv2d(x, weight, bias, options), adapter.delta(x)));
  }
}

/** What a low-rank adapter may attach to. */
export type AdaptableLayer = Linear | Conv2d;

/** torch.nn.Conv1d: [B, T, in] -> [B, Tout, out]. */
export class Conv1d {
  readonly weight: Parameter; // [k, in, out]
  readonly bias: Parameter | null; // [out]
  private readonly options: Conv1dOptions;

  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    { bias = true, ...options }: Conv1dOptions & { readonly bias?: boolean } = {},
  ) {
    this.weight = params.weight('weight', [outChannels, inChannels, kernelSize], 'conv1d');
    this.bias = bias ? params.weight('bias', [outChannels], 'vector') : null;
    this.options = options;
  }

  forward(x: tf.Tensor3D): tf.Tensor3D {
    return conv1d(x, this.weight, this.bias, this.options);
  }
}

/** torch.nn.ConvTranspose1d: [B, T, in] -> [B, (T - 1) stride - 2 padding + k, out]. */
export class ConvTranspose1d {
  readonly weight: Parameter; // [k, in, out]
  readonly bias: Parameter | null; // [out]
  private readonly options: ConvTranspose1dOptions;

  constructor(
    params: ParameterScope,
    inChannels: number,
    outChannels: number,
    kernelSize: number,
    { bias = true, ...options }: ConvTranspose1dOptions & { readonly bias?: boolean },
  ) {
    this.weight = params.weight('weight', [inChannels, outChannels, kernelSize], 'convTranspose1d');
    this.bias = bias ? params.weight('bias', [outChannels], 'vector') : null;
    this.options = options;
  }

  forward(x: tf.Tensor3D): tf.Tensor3D {
    return convTranspose1d(x, this.weight, this.bias, this.options);
  }
}

/** torch.nn.GroupNorm over [B, ..., C], with an activation fused behind it. */
export class GroupNorm {
  readonly weight: Parameter; // [C]
  readonly bias: Parameter; // [C]

  constructor(
    params: ParameterScope,
    channels: number,
    private readonly options: { readonly groups: number; readonly eps: number },
  ) {
    this.weight = params.weight('weight', [channels], 'vector');
    this.bias = params.weight('bias', [channels], 'vector');
  }

  forward<T extends tf.Tensor>(x: T, activation?: Activation): T {
    return groupNorm(x, this.weight, this.bias, { ...this.options, ...(activation ? { activation } : {}) });
  }
}

/** torch.nn.LayerNorm over the last axis. */
export class LayerNorm {
  readonly weight: Parameter; // [D]
  readonly bias: Parameter | null; // [D]

  constructor(
    params: ParameterScope,
    features: number,
    private readonly options: { readonly eps: number; readonly bias?: boolean } = { eps: 1e-5 },
  ) {
    this.weight = params.weight('weight', [features], 'vector');
    this.bias = options.bias === false ? null : params.weight('bias', [features], 'vector');
  }

  forward<T extends tf.Tensor>(x: T): T {
    return layerNorm(x, this.weight, this.bias, this.options);
  }
}

/** T5LayerNorm: root mean square over the last axis, no shift. */
export class RmsNorm {
  readonly weight: Parameter; // [D]

  constructor(
    params: ParameterScope,
    features: number,
    private readonly options: { readonly eps: number } = { eps: 1e-6 },
  ) {
    this.weight = params.weight('weight', [features], 'vector');
  }

  forward<T extends tf.Tensor>(x: T): T {
    return rmsNorm(x, this.weight, this.options);
  }
}

/**
 * torch.nn.BatchNorm2d after its training: each channel, the last axis here, by its running mean and variance. What it
 * counts while it trains (`num_batches_tracked`) is no parameter.
 */
export class BatchNorm2d {
  readonly weight: Parameter; // [C]
  readonly bias: Parameter; // [C]
  readonly runningMean: Parameter; // [C]
  readonly runningVar: Parameter; // [C]

  constructor(
    params: ParameterScope,
    channels: number,
    private readonly options: { readonly eps: number } = { eps: 1e-5 },
  ) {
    this.weight = params.weight('weight', [channels], 'vector');
    this.bias = params.weight('bias', [channels], 'vector');
    this.runningMean = params.weight('running_mean', [channels], 'vector');
    this.runningVar = params.weight('running_var', [channels], 'vector');
  }

  forward<T extends tf.Tensor>(x: T): T {
    const [mean, variance, bias, weight] = [this.runningMean, this.runningVar, this.bias, this.weight].map(
      ({ tensor }) => tensor as tf.Tensor1D,
    ) as [tf.Tensor1D, tf.Tensor1D, tf.Tensor1D, tf.Tensor1D];
    return tf.batchNorm(x, mean, variance, bias, weight, this.options.eps) as T;
  }
}

/** torch.nn.Embedding: int32 [...] -> [..., D]. */
export class Embedding {
  readonly weight: Parameter; // [V, D]

  constructor(params: ParameterScope, count: number, features: number) {
    this.weight = params.weight('weight', [count, features], 'embedding');
  }

  forward(ids: tf.Tensor): tf.Tensor {
    return embedding(ids, this.weight);
  }
}
