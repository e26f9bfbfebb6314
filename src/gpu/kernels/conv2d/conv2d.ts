import type * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../../common/assert';
import type { WeightTensor } from '../../weight-tensor';
import { convolution } from '../convolution/convolution';
import type { Pair } from '../convolution/convolve';
import { requireOutput } from '../convolution/output-size';

export interface Conv2dOptions {
  readonly stride?: number;
  /** The same on all sides, or [[top, bottom], [left, right]]. */
  readonly padding?: number | Pair<Pair<number>>;
}

/**
 * 2-D convolution (cross-correlation, as torch).
 *
 * @param x [B, H, W, Cin]
 * @param weight [kh, kw, Cin, Cout]
 * @param bias [Cout]
 * @returns [B, Hout, Wout, Cout], Hout = floor((H + top + bottom - kh) / stride) + 1
 */
export function conv2d(
  x: tf.Tensor4D,
  weight: WeightTensor,
  bias?: WeightTensor | null,
  { stride = 1, padding = 0 }: Conv2dOptions = {},
): tf.Tensor4D {
  const [kh, kw, inChannels, outChannels] = weight.shape as [number, number, number, number];
  matchShape(`conv2d ${weight.name}: x`, x.shape, ['B', 'H', 'W', inChannels]);
  const rows: Pair<number> = typeof padding === 'number' ? [padding, padding] : padding[0];
  const columns: Pair<number> = typeof padding === 'number' ? [padding, padding] : padding[1];
  requireOutput(`conv2d ${weight.name}`, 'H', x.shape[1], kh, rows);
  requireOutput(`conv2d ${weight.name}`, 'W', x.shape[2], kw, columns);
  return convolution(x, weight, bias, {
    filterShape: [kh, kw, inChannels, outChannels],
    strides: [stride, stride],
    dilations: [1, 1],
    padding: [rows, columns],
  });
}
