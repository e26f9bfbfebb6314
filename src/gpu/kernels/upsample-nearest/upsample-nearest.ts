import * as tf from '@tensorflow/tfjs-core';

/**
 * Nearest-neighbour upsampling as torch's `interpolate(mode="nearest")`: source = floor(target * size / outputSize).
 *
 * @param x [B, H, W, C]
 * @param outputSize [H, W] of the result; twice the size by default.
 * @returns [B, Hout, Wout, C]
 */
export function upsampleNearest2x(
  x: tf.Tensor4D,
  outputSize: readonly [number, number] = [x.shape[1] * 2, x.shape[2] * 2],
): tf.Tensor4D {
  return tf.image.resizeNearestNeighbor(x, [outputSize[0], outputSize[1]]);
}
