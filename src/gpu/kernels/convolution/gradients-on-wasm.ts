/** Gradients of convolutions and linear layers by the studio's own kernels (wasm-kernels/assembly/convolution.ts). */
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import type { WasmKernels } from '../../wasm-kernels/wasm-kernels';
import { type ProductGeometry, rowsGeometry } from '../product/product-program';
import { type ConvolutionGeometry, productGeometry } from './convolve';
import { multiply, PANEL_COLUMNS } from './convolve-on-wasm';

/** Input channels of a tile of the filter's gradient, as in the kernel. */
const TILE_CHANNELS = 6;

/** Along one axis: the positions phase, phase + stride, … of x, as a convolution of dy. */
interface Phase {
  readonly phase: number;
  readonly size: number;
  /** Taps, the last one of the filter among them, zeros before dy. */
  readonly taps: number;
  readonly first: number;
  readonly before: number;
}

/**
 * Of y[o] = sum x[stride o + dilation t - padding] w[t]: position i of x meets the taps t of (i + padding) mod stride, at
 * o = (i + padding - dilation t) / stride. The last one comes first, since o falls as t grows.
 */
function phasesOf(size: number, kernel: number, stride: number, dilation: number, padding: number): Phase[] {
  return Array.from({ length: stride }, (_, phase) => {
    const least = (phase + padding) % stride;
    const taps = Math.max(0, Math.ceil((kernel - least) / stride));
    const before = dilation * (taps - 1) - (phase + padding - least) / stride;
    return {
      phase,
      size: Math.ceil((size - phase) / stride),
      taps,
      first: least + stride * (taps - 1),
      before,
    };
  }).filter((one) => one.size > 0);
}

/**
 * dx: a convolution of dy with the filter turned around; behind a stride one for each phase of the positions, which writes
 * every stride-th line and column and meets no zeros.
 *
 * @param dy [B, Hout, Wout, Cout]
 * @param filter [kh, kw, Cin, Cout] in elements
 * @returns [B, H, W, Cin]; null for a stride and a dilation at once
 */
export function inputGradientOnWasm(
  kernels: WasmKernels,
  dy: tf.TensorInfo,
  xShape: readonly number[],
  filter: tf.TensorInfo,
  { filterShape, strides, dilations, padding }: ConvolutionGeometry,
): tf.TensorInfo | null {
  if (([0, 1] as const).some((axis) => strides[axis] > 1 && dilations[axis] > 1)) return null;
  const [, , inChannels, outChannels] = filterShape;
  const [batch, H, W] = xShape as [number, number, number, number];
  const [rows, columns] = ([0, 1] as const).map((axis) =>
    phasesOf([H, W][axis]!, filterShape[axis], strides[axis], dilations[axis], padding[axis][0]),
  ) as [Phase[], Phase[]];
  const dx = kernels.output(xShape);
  const column = 4 * inChannels;
  const line = W * column;
  for (const down of rows) {
    for (const across of columns) {
      const panels = kernels.packedTurned(filter, filterShape, {
        taps: [down.taps, across.taps],
        first: [down.first, across.first],
        step: strides,
        span: 1,
      });
      const geometry: ProductGeometry = {
        batch,
        inSize: [dy.shape[1]!, dy.shape[2]!],
        outSize: [down.size, across.size],
        inChannels: outChannels,
        outChannels: inChannels,
        taps: [down.taps, across.taps],
        strides: [1, 1],
        dilations,
        before: [down.before, across.before],
        upsample: 0,
      };
      multiply(kernels, dy, panels, undefined, geometry, {
        address: kernels.address(dx) + down.phase * line + across.phase * column,
        strides: [H * line, strides[0] * line, strides[1] * column],
      });
    }
  }
  return dx;
}

/**
 * The gradient of what a 3 x 3 convolution behind an upsampling by two takes: each pixel meets four lines and columns of
 * dy, so that it is a convolution of stride 2 with 4 x 4 taps, those of the filter that meet the pixel's copies added up.
 *
 * @param dy [B, 2 H, 2 W, Cout]
 * @param filterShape [3, 3, Cin, Cout]
 * @returns [B, H, W, Cin]
 */
export function upsampledInputGradientOnWasm(
  kernels: WasmKernels,
  dy: tf.TensorInfo,
  filter: tf.TensorInfo,
  filterShape: readonly number[],
): tf.TensorInfo {
  const [batch, height, width] = dy.shape as [number, number, number, number];
  const [, , inChannels, outChannels] = filterShape as [number, number, number, number];
  const outSize = [height / 2, width / 2] as const;
  const taps = [4, 4] as const;
  const panels = kernels.packedTurned(filter, filterShape, { taps, first: [2, 2], step: [1, 1], span: 2 });
  const geometry: ProductGeometry = {
    batch,
    inSize: [height, width],
    outSize,
    inChannels: outChannels,
    outChannels: inChannels,
    taps,
    strides: [2, 2],
    dilations: [1, 1],
    before: [1, 1],
    upsample: 0,
  };
  const dx = kernels.output([batch, ...outSize, inChannels]);
  const column = 4 * inChannels;
  const line = outSize[1] * column;
  multiply(kernels, dy, panels, undefined, geometry, {
    address: kernels.address(dx),
    strides: [outSize[0] * line, line, column],
  });
  return dx;
}

/** The sum for each tap of x, transposed, times dy, where the tap meets it: [kh, kw, Cin, Cout]. */
function filterProducts(
  kernels: WasmKernels,
  x: tf.TensorInfo,
  dy: tf.Tensor,
  { batch, inSize, outSize, inChannels, outChannels, taps, strides, dilations, before }: ProductGeometry,
): tf.TensorInfo {
  const rows = dy.size / outChannels;
  const panels = Math.ceil(outChannels / PANEL_COLUMNS);
  const dw = kernels.output([...taps, inChannels, outChannels]);
  kernels.withScratch(rows * panels * PANEL_COLUMNS, (packed) => {
    kernels.run('packWeights', panels, [kernels.address(dy), packed, rows, outChannels]);
    kernels.run('filterGradient', taps[0] * taps[1] * Math.ceil(inChannels / TILE_CHANNELS) * panels, [
      ...[kernels.address(x), packed, kernels.address(dw), batch],
      ...[...inSize, inChannels, ...outSize, outChannels],
      ...[...taps, ...strides, ...dilations, ...before],
    ]);
  });
  return dw;
}

/**
 * @param x [B, H, W, Cin]
 * @param dy [B, Hout, Wout, Cout]
 * @returns [kh, kw, Cin, Cout]
 */
export function filterGradientOnWasm(
  kernels: WasmKernels,
  x: tf.Tensor,
  dy: tf.Tensor,
  geometry: ConvolutionGeometry,
): tf.TensorInfo {
  return filterProducts(kernels, x, dy, productGeometry(x.shape, geometry));
}

/**
 * @param x [..., in]
 * @param dy [..., out]
 * @returns [in, out]
 */
export function linearWeightGradientOnWasm(kernels: WasmKernels, x: tf.Tensor, dy: tf.Tensor): tf.TensorInfo {
  const [inChannels, outChannels] = [x.shape.at(-1)!, dy.shape.at(-1)!];
  const rows = elementCount(x.shape.slice(0, -1));
  const dw = filterProducts(kernels, x, dy, rowsGeometry(rows, inChannels, outChannels));
  return { ...dw, shape: [inChannels, outChannels] };
}

/** The sum over all axes but the last, [..., C] -> [C]: the weight's gradient behind an input of ones. */
export function sumOverRowsOnWasm(kernels: WasmKernels, dy: tf.Tensor): tf.TensorInfo {
  const channels = dy.shape.at(-1)!;
  const rows = dy.size / channels;
  const sums = filterProducts(kernels, tf.ones([rows, 1]), dy, rowsGeometry(rows, 1, channels));
  return { ...sums, shape: [channels] };
}
