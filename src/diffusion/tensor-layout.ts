import * as tf from '@tensorflow/tfjs-core';
import { InvalidInputError } from '../common/errors';

/** Numbers with a shape, in PyTorch's order: how tensors enter and leave the pipeline. */
export interface TensorData {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

/** [B, C, H, W] numbers → a [B, H, W, C] tensor on the backend. */
export function nchwToNhwc(source: TensorData): tf.Tensor4D {
  const [batch, channels, height, width] = checkedShape(source, ['B', 'C', 'H', 'W']);
  return tf.tidy(() =>
    tf.transpose(tf.tensor4d(source.data, [batch!, channels!, height!, width!]), [0, 2, 3, 1]),
  );
}

/** A [B, H, W, C] tensor → [B, C, H, W] numbers. The tensor is not disposed. */
export async function nhwcToNchw(tensor: tf.Tensor4D): Promise<TensorData> {
  const [batch, height, width, channels] = tensor.shape;
  const transposed = tf.tidy(() => tf.transpose(tensor, [0, 3, 1, 2]));
  try {
    return { data: await float32Data(transposed), shape: [batch, channels, height, width] };
  } finally {
    transposed.dispose();
  }
}

/** Any tensor as it is. The tensor is not disposed. */
export async function readTensor(tensor: tf.Tensor): Promise<TensorData> {
  return { data: await float32Data(tensor), shape: tensor.shape };
}

/**
 * The shape, when it has as many axes as `axes` names and as many elements as there are numbers.
 * @throws InvalidInputError
 */
export function checkedShape(source: TensorData, axes: readonly string[]): readonly number[] {
  const { data, shape } = source;
  const sizesAreGood = shape.every((size) => Number.isSafeInteger(size) && size > 0);
  const elements = shape.reduce((product, size) => product * size, 1);
  if (shape.length === axes.length && sizesAreGood && elements === data.length) return shape;
  throw new InvalidInputError(
    `A tensor of shape [${axes.join(', ')}] was expected, but [${shape.join(', ')}] with ${data.length} numbers came. Give { data, shape } with as many numbers as the shape says.`,
  );
}

async function float32Data(tensor: tf.Tensor): Promise<Float32Array> {
  return Float32Array.from(await tensor.data());
}
