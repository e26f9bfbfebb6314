import * as tf from '@tensorflow/tfjs-core';
import { wasmKernels } from '../../wasm-kernels/wasm-kernels';
import { onWasm } from '../common/mat-mul';
import { deferProduct } from '../product/product';
import type { ProductGeometry } from '../product/product-program';
import { convolveOnWasm } from './convolve-on-wasm';

/** Of the rows and of the columns of an image. */
export type Pair<T> = readonly [T, T];

export interface ConvolutionGeometry {
  /** [kh, kw, Cin, Cout] */
  readonly filterShape: readonly [number, number, number, number];
  readonly strides: Pair<number>;
  readonly dilations: Pair<number>;
  /** Zeros [before, after] the rows, and the columns. */
  readonly padding: Pair<Pair<number>>;
}

/** The WGSL product's sizes for a convolution of x [B, H, W, Cin]. */
export function productGeometry(
  [batch, ...inSize]: readonly number[],
  { filterShape: [kh, kw, inChannels, outChannels], strides, dilations, padding }: ConvolutionGeometry,
): ProductGeometry {
  const outSize = ([0, 1] as const).map((axis) => {
    const reach = dilations[axis] * ((axis === 0 ? kh : kw) - 1) + 1;
    return Math.floor((inSize[axis]! + padding[axis][0] + padding[axis][1] - reach) / strides[axis]) + 1;
  });
  return {
    batch: batch!,
    inSize: [inSize[0]!, inSize[1]!],
    outSize: [outSize[0]!, outSize[1]!],
    inChannels,
    outChannels,
    taps: [kh, kw],
    strides,
    dilations,
    before: [padding[0][0], padding[1][0]],
    upsample: 0,
  };
}

/** A convolution with zero padding: on WebGPU the product where it applies, else plain tfjs. Not on the tape. */
export function convolve(
  x: tf.Tensor4D,
  filter: tf.Tensor4D,
  bias: tf.Tensor | undefined,
  { strides, dilations, padding }: Omit<ConvolutionGeometry, 'filterShape'>,
): tf.Tensor4D {
  const geometry = productGeometry(x.shape, { filterShape: filter.shape, strides, dilations, padding });
  const kernels = wasmKernels();
  if (kernels) {
    const y = convolveOnWasm(kernels, x, filter, bias, geometry);
    return tf.engine().makeTensorFromTensorInfo(y) as tf.Tensor4D;
  }
  if (!onWasm()) {
    const shape = [geometry.batch, ...geometry.outSize, geometry.outChannels];
    const product = deferProduct(x, filter, bias, geometry, shape);
    if (product) return tf.engine().makeTensorFromTensorInfo(product) as tf.Tensor4D;
  }
  const [rows, columns] = padding;
  return tf.fused.conv2d({
    x,
    filter,
    strides: [...strides],
    dilations: [...dilations],
    pad: [[0, 0], [...rows], [...columns], [0, 0]],
    dimRoundingMode: 'floor',
    ...(bias ? { bias } : {}),
  });
}
