import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../../common/assert';
import type { WeightTensor } from '../../weight-tensor';
import { convolution } from '../convolution/convolution';
import { requireOutput } from '../convolution/output-size';

export interface Conv1dOptions {
  readonly stride?: number;
  /** Zeros on both ends. */
  readonly padding?: number;
  readonly dilation?: number;
}

/**
 * 1-D convolution (cross-correlation, as torch): a 2-D one over an image of one row.
 *
 * @param x [B, T, Cin]
 * @param weight [k, Cin, Cout]
 * @param bias [Cout]
 * @returns [B, Tout, Cout], Tout = floor((T + 2 padding - dilation (k - 1) - 1) / stride) + 1
 */
export function conv1d(
  x: tf.Tensor3D,
  weight: WeightTensor,
  bias?: WeightTensor | null,
  { stride = 1, padding = 0, dilation = 1 }: Conv1dOptions = {},
): tf.Tensor3D {
  const [kernel, inChannels, outChannels] = weight.shape as [number, number, number];
  matchShape(`conv1d ${weight.name}: x`, x.shape, ['B', 'T', inChannels]);
  const [B, T] = x.shape;
  requireOutput(`conv1d ${weight.name}`, 'T', T, dilation * (kernel - 1) + 1, [padding, padding]);
  return tf.tidy(() => {
    const y = convolution(tf.reshape(x, [B, 1, T, inChannels]), weight, bias, {
      filterShape: [1, kernel, inChannels, outChannels],
      strides: [1, stride],
      dilations: [1, dilation],
      padding: [
        [0, 0],
        [padding, padding],
      ],
    }); // [B, 1, Tout, Cout]
    return tf.reshape(y, [B, y.shape[2], outChannels]);
  });
}
