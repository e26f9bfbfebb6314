import * as tf from '@tensorflow/tfjs-core';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import type { WeightTensor } from '../../weight-tensor';
import { matMul } from '../common/mat-mul';
import { turnedWeight } from '../common/turned-weight';
import { type ConvolutionGeometry, convolve, type Pair } from './convolve';
import { filterGradientOnWasm, inputGradientOnWasm } from './gradients-on-wasm';

/**
 * dx; on wasm by the studio's own kernel where there is one, else the convolution of dy, with stride - 1 zeros between
 * its positions, with the filter turned around and its channels swapped. An ordinary convolution, so XNNPACK runs it on
 * wasm.
 *
 * @param dy [B, Hout, Wout, Cout]
 * @param weight the filter's values, of the geometry's filterShape
 * @returns [B, H, W, Cin], the shape of x
 */
export function inputGradient(
  dy: tf.Tensor4D,
  xShape: readonly number[],
  { tensor, dtype }: Pick<WeightTensor, 'tensor' | 'dtype'>,
  geometry: ConvolutionGeometry,
): tf.Tensor4D {
  const kernels = wasmKernels();
  const own = kernels && inputGradientOnWasm(kernels, dy, xShape, tensor, geometry);
  if (own) return kernels.tensor(own);
  const { filterShape, strides, dilations, padding } = geometry;
  const spread = spreadOut(dy, strides);
  const around = ([0, 1] as const).map((axis): Pair<number> => {
    const reach = dilations[axis] * (filterShape[axis] - 1);
    const before = reach - padding[axis][0];
    return [before, xShape[axis + 1]! + reach - spread.shape[axis + 1]! - before];
  }) as [Pair<number>, Pair<number>];
  // Negative where the forward pass padded by more than the filter reaches: those positions never met x.
  const cropped = crop(spread, around);
  const turned = turnedWeight<tf.Tensor4D>({ tensor, dtype, shape: filterShape }); // [kh, kw, Cout, Cin]
  const positive = around.map(([a, b]): Pair<number> => [Math.max(0, a), Math.max(0, b)]);
  return convolve(cropped, turned, undefined, {
    strides: [1, 1],
    dilations,
    padding: positive as [Pair<number>, Pair<number>],
  });
}

/**
 * dW: for each tap, the product of x at the positions that the tap meets with dy. tfjs's wasm backend has no kernel
 * for it; one product per tap is kh * kw calls of XNNPACK, and as many dispatches on a GPU.
 *
 * @param dy [B, Hout, Wout, Cout]
 * @param x [B, H, W, Cin]
 * @returns [kh, kw, Cin, Cout]
 */
export function filterGradient(dy: tf.Tensor4D, x: tf.Tensor4D, geometry: ConvolutionGeometry): tf.Tensor {
  const kernels = wasmKernels();
  if (kernels) return kernels.tensor(filterGradientOnWasm(kernels, x, dy, geometry));
  const { filterShape, strides, dilations, padding } = geometry;
  const [kh, kw, inChannels, outChannels] = filterShape;
  const [batch, outHeight, outWidth] = dy.shape;
  const positions = batch * outHeight * outWidth;
  const padded = tf.pad(x, [[0, 0], [...padding[0]], [...padding[1]], [0, 0]]);
  // dy is transposed once; the other way round, x would be for each tap.
  const dyColumns = tf.transpose(tf.reshape(dy, [positions, outChannels])); // [Cout, M]
  const taps: tf.Tensor[] = [];
  for (let i = 0; i < kh; i += 1) {
    for (let j = 0; j < kw; j += 1) {
      const top = i * dilations[0];
      const left = j * dilations[1];
      taps.push(
        tf.tidy(() => {
          const met = tf.stridedSlice(
            padded,
            [0, top, left, 0],
            [
              batch,
              top + (outHeight - 1) * strides[0] + 1,
              left + (outWidth - 1) * strides[1] + 1,
              inChannels,
            ],
            [1, strides[0], strides[1], 1],
          ); // [B, Hout, Wout, Cin]
          return matMul(dyColumns, tf.reshape(met, [positions, inChannels])); // [Cout, Cin]
        }),
      );
    }
  }
  const stacked = tf.reshape(tf.stack(taps), [kh, kw, outChannels, inChannels]);
  return tf.transpose(stacked, [0, 1, 3, 2]);
}

/** stride - 1 zeros between neighbours: [B, H, W, C] -> [B, (H - 1) sh + 1, (W - 1) sw + 1, C]. */
function spreadOut(x: tf.Tensor4D, [sh, sw]: Pair<number>): tf.Tensor4D {
  if (sh === 1 && sw === 1) return x;
  const [B, H, W, C] = x.shape;
  // Four axes: tfjs's WebGPU pad is wrong with five.
  const spread = tf.pad(tf.reshape(x, [B * H, 1, W, C]), [
    [0, 0],
    [0, sh - 1],
    [0, 0],
    [0, (sw - 1) * C],
  ]); // [B * H, sh, W, sw * C]
  const image = tf.reshape(spread, [B, H * sh, W * sw, C]) as tf.Tensor4D;
  return tf.slice(image, [0, 0, 0, 0], [B, (H - 1) * sh + 1, (W - 1) * sw + 1, C]);
}

/** Takes -n rows or columns off where the padding n is negative. */
function crop(x: tf.Tensor4D, [[top, bottom], [left, right]]: Pair<Pair<number>>): tf.Tensor4D {
  const cut = (n: number): number => Math.max(0, -n);
  const [B, H, W, C] = x.shape;
  if (top >= 0 && bottom >= 0 && left >= 0 && right >= 0) return x;
  return tf.slice(
    x,
    [0, cut(top), cut(left), 0],
    [B, H - cut(top) - cut(bottom), W - cut(left) - cut(right), C],
  );
}
