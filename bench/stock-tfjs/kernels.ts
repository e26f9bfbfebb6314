/**
 * The kernels' seam filled with the tfjs ops that a direct port would take: one library op after another, nothing
 * fused, attention as one batched matmul, transposed convolution by tf.conv2dTranspose. What the studio's kernels
 * are measured against.
 */
import * as tf from '@tensorflow/tfjs-core';
import { type Activation, activate, gelu } from '../../src/gpu/kernels/activations/activations';
import type { AttentionOptions } from '../../src/gpu/kernels/attention/attention';
import { forceVariant } from '../../src/gpu/kernels/common/kernel-variant';
import { weightValues } from '../../src/gpu/kernels/common/weight-values';
import type { ConvTranspose1dOptions } from '../../src/gpu/kernels/conv-transpose-1d/conv-transpose-1d';
import type { Conv1dOptions } from '../../src/gpu/kernels/conv1d/conv1d';
import type { Conv2dOptions } from '../../src/gpu/kernels/conv2d/conv2d';
import type { GroupNormOptions } from '../../src/gpu/kernels/group-norm/group-norm';
import type { WeightTensor } from '../../src/gpu/weight-tensor';

// The activations are tfjs ops too.
forceVariant('composed');

export * from '../../src/gpu/kernels/activations/activations';
export { adamWUpdate } from '../../src/gpu/kernels/adamw-update/adamw-update';
export { sumOfSquares } from '../../src/gpu/kernels/sum-of-squares/sum-of-squares';
export { weightValues };

type NamesOf<T> = Exclude<keyof T, 'default'>;
type Missing = Exclude<NamesOf<typeof import('../../src/gpu/kernels')>, NamesOf<typeof import('./kernels')>>;
/** Does not compile where the seam has a kernel that has no stock form here. */
const missing: [Missing] extends [never] ? null : Missing = null;
void missing;

type Bias = WeightTensor | null | undefined;
type Explicit = [[number, number], [number, number], [number, number], [number, number]];

const withBias = <T extends tf.Tensor>(y: T, bias: Bias): T => (bias ? tf.add(y, weightValues(bias)) : y);

export function linear(x: tf.Tensor, weight: WeightTensor, bias?: Bias, activation?: Activation): tf.Tensor {
  const [inFeatures = 0, outFeatures = 0] = weight.shape;
  return tf.tidy(() => {
    const y = tf.matMul(tf.reshape(x, [-1, inFeatures]), weightValues<tf.Tensor2D>(weight));
    return tf.reshape(activate(withBias(y, bias), activation), [...x.shape.slice(0, -1), outFeatures]);
  });
}

export function conv2d(
  x: tf.Tensor4D,
  weight: WeightTensor,
  bias?: Bias,
  options: Conv2dOptions = {},
): tf.Tensor4D {
  const { stride = 1, padding = 0 } = options;
  const [rows, columns] =
    typeof padding === 'number'
      ? ([
          [padding, padding],
          [padding, padding],
        ] as const)
      : padding;
  const pad: Explicit = [[0, 0], [...rows], [...columns], [0, 0]];
  return tf.tidy(() =>
    withBias(tf.conv2d(x, weightValues<tf.Tensor4D>(weight), stride, pad, 'NHWC', 1, 'floor'), bias),
  );
}

export function conv1d(
  x: tf.Tensor3D,
  weight: WeightTensor,
  bias?: Bias,
  options: Conv1dOptions = {},
): tf.Tensor3D {
  const { stride = 1, padding = 0, dilation = 1 } = options;
  return tf.tidy(() => {
    const padded = tf.pad(x, [
      [0, 0],
      [padding, padding],
      [0, 0],
    ]);
    return withBias(
      tf.conv1d(padded, weightValues<tf.Tensor3D>(weight), stride, 'valid', 'NWC', dilation),
      bias,
    );
  });
}

export function convTranspose1d(
  x: tf.Tensor3D,
  weight: WeightTensor,
  bias: Bias,
  { stride, padding }: ConvTranspose1dOptions,
): tf.Tensor3D {
  const [B, T, inChannels] = x.shape;
  const [kernel = 0, , outChannels = 0] = weight.shape;
  const outLength = (T - 1) * stride - 2 * padding + kernel;
  return tf.tidy(() => {
    const filter = tf.transpose(weightValues<tf.Tensor3D>(weight), [0, 2, 1]); // [k, Cout, Cin]
    const full = (T - 1) * stride + kernel;
    const y = tf.conv2dTranspose(
      tf.reshape(x, [B, 1, T, inChannels]) as tf.Tensor4D,
      tf.reshape(filter, [1, kernel, outChannels, inChannels]) as tf.Tensor4D,
      [B, 1, full, outChannels],
      [1, stride],
      'valid',
    );
    return withBias(
      tf.slice(
        tf.reshape(y, [B, full, outChannels]),
        [0, padding, 0],
        [B, outLength, outChannels],
      ) as tf.Tensor3D,
      bias,
    );
  });
}

const normalise = (x: tf.Tensor, axes: number | number[], eps: number): tf.Tensor => {
  const { mean, variance } = tf.moments(x, axes, true);
  return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, eps)));
};

export function groupNorm<T extends tf.Tensor>(
  x: T,
  weight: WeightTensor,
  bias: WeightTensor,
  { groups, eps, activation }: GroupNormOptions,
): T {
  return tf.tidy(() => {
    const channels = weight.shape[0] ?? 0;
    const grouped = tf.reshape(x, [x.shape[0] ?? 1, -1, groups, channels / groups]);
    const normal = tf.reshape(normalise(grouped, [1, 3], eps), x.shape);
    return activate(withBias(tf.mul(normal, weightValues(weight)), bias), activation) as T;
  });
}

export function layerNorm<T extends tf.Tensor>(
  x: T,
  weight: WeightTensor,
  bias: WeightTensor | null,
  { eps }: { readonly eps: number },
): T {
  return tf.tidy(() => withBias(tf.mul(normalise(x, -1, eps), weightValues(weight)), bias) as T);
}

export function rmsNorm<T extends tf.Tensor>(
  x: T,
  weight: WeightTensor,
  { eps }: { readonly eps: number },
): T {
  return tf.tidy(() => {
    const rms = tf.sqrt(tf.add(tf.mean(tf.square(x), -1, true), eps));
    return tf.mul(tf.div(x, rms), weightValues(weight)) as T;
  });
}

export function attention(
  q: tf.Tensor4D,
  k: tf.Tensor4D,
  v: tf.Tensor4D,
  { scale, bias }: AttentionOptions,
): tf.Tensor4D {
  return tf.tidy(() => {
    const scores = tf.mul(tf.matMul(q, k, false, true), scale); // [B, N, L, S]
    return tf.matMul(tf.softmax(bias ? tf.add(scores, bias) : scores), v) as tf.Tensor4D;
  });
}

export function geglu(x: tf.Tensor): tf.Tensor {
  return tf.tidy(() => {
    const [value, gate] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
    return tf.mul(value, gelu(gate));
  });
}

export function upsampleNearest2x(
  x: tf.Tensor4D,
  outputSize: readonly [number, number] = [x.shape[1] * 2, x.shape[2] * 2],
): tf.Tensor4D {
  return tf.image.resizeNearestNeighbor(x, [outputSize[0], outputSize[1]]);
}

export function upsampleConv2d(x: tf.Tensor4D, weight: WeightTensor, bias?: Bias): tf.Tensor4D {
  return tf.tidy(() => conv2d(upsampleNearest2x(x), weight, bias, { padding: 1 }));
}

export function embedding(ids: tf.Tensor, weight: WeightTensor): tf.Tensor {
  return tf.tidy(() => tf.gather(weightValues(weight), ids));
}
