/** Convolutions and linear layers by the studio's own product on wasm (wasm-kernels/assembly/convolution.ts). */
import type * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import type { WasmKernels } from '../../wasm-kernels/wasm-kernels';
import { type ProductGeometry, rowsGeometry } from '../product/product-program';

/** Rows of the result in a unit of work, and columns of a panel, as in the kernel. */
const UNIT_ROWS = 192;
export const PANEL_COLUMNS = 8;

/** Where results go: the first one, and the bytes to the next image, line and column. */
export interface Placement {
  readonly address: number;
  readonly strides: readonly [image: number, line: number, column: number];
}

export function multiply(
  kernels: WasmKernels,
  x: tf.TensorInfo,
  panels: number,
  bias: tf.TensorInfo | undefined,
  geometry: ProductGeometry,
  { address, strides }: Placement,
): void {
  const { batch, inSize, inChannels, outSize, outChannels, taps, before } = geometry;
  const blocks = Math.ceil((batch * outSize[0] * outSize[1]) / UNIT_ROWS);
  kernels.run('convolution', blocks * Math.ceil(outChannels / PANEL_COLUMNS), [
    ...[kernels.address(x), panels, address, kernels.zeros(inChannels), batch],
    ...[...inSize, inChannels, ...outSize, outChannels],
    ...[...taps, ...geometry.strides, ...geometry.dilations, ...before, kernels.address(bias), ...strides],
  ]);
}

/**
 * @param x [B, H, W, Cin]
 * @param filter [kh, kw, Cin, Cout] in elements
 * @param bias [Cout]
 * @returns [B, Hout, Wout, Cout]
 */
export function convolveOnWasm(
  kernels: WasmKernels,
  x: tf.TensorInfo,
  filter: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  geometry: ProductGeometry,
): tf.TensorInfo {
  const { batch, inChannels, outSize, outChannels, taps } = geometry;
  const panels = kernels.packedWeights(filter, taps[0] * taps[1] * inChannels, outChannels);
  const y = kernels.output([batch, ...outSize, outChannels]);
  const column = 4 * outChannels;
  const line = column * outSize[1];
  multiply(kernels, x, panels, bias, geometry, {
    address: kernels.address(y),
    strides: [line * outSize[0], line, column],
  });
  return y;
}

/**
 * The convolution behind an upsampling as four convolutions of the small image, one for even and odd lines and columns
 * each, which write every second line and column.
 *
 * @param x [B, H, W, Cin]
 * @param filter [3, 3, Cin, Cout] in elements
 * @returns [B, 2 H, 2 W, Cout]
 */
export function upsampleConvolveOnWasm(
  kernels: WasmKernels,
  x: tf.TensorInfo,
  filter: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  outChannels: number,
): tf.TensorInfo {
  const [batch, H, W, inChannels] = x.shape as [number, number, number, number];
  const panels = kernels.packedPhases(filter, inChannels, outChannels);
  const phaseBytes = 4 * inChannels * 32 * Math.ceil(outChannels / PANEL_COLUMNS);
  const y = kernels.output([batch, 2 * H, 2 * W, outChannels]);
  const column = 4 * outChannels;
  const line = 2 * W * column;
  for (const phase of [0, 1, 2, 3]) {
    const odd = [phase >> 1, phase & 1] as const;
    const geometry: ProductGeometry = {
      batch,
      inSize: [H, W],
      outSize: [H, W],
      inChannels,
      outChannels,
      taps: [2, 2],
      strides: [1, 1],
      dilations: [1, 1],
      before: [1 - odd[0], 1 - odd[1]],
      upsample: 0,
    };
    multiply(kernels, x, panels + phase * phaseBytes, bias, geometry, {
      address: kernels.address(y) + odd[0] * line + odd[1] * column,
      strides: [2 * H * line, 2 * line, 2 * column],
    });
  }
  return y;
}

/**
 * @param x [..., in]
 * @param weight [in, out] in elements
 * @returns [..., out]
 */
export function linearOnWasm(
  kernels: WasmKernels,
  x: tf.TensorInfo,
  weight: tf.TensorInfo,
  bias: tf.TensorInfo | undefined,
  [inChannels, outChannels]: readonly [number, number],
): tf.TensorInfo {
  return rowsOnWasm(kernels, x, kernels.packedWeights(weight, inChannels, outChannels), bias, [
    inChannels,
    outChannels,
  ]);
}

/**
 * The gradient of a linear layer's input.
 *
 * @param dy [..., out]
 * @param weight [in, out] in elements
 * @returns [..., in]
 */
export function linearInputGradientOnWasm(
  kernels: WasmKernels,
  dy: tf.TensorInfo,
  weight: tf.TensorInfo,
  [inChannels, outChannels]: readonly [number, number],
): tf.TensorInfo {
  const taps = { taps: [1, 1], first: [0, 0], step: [1, 1], span: 1 } as const;
  const panels = kernels.packedTurned(weight, [1, 1, inChannels, outChannels], taps);
  return rowsOnWasm(kernels, dy, panels, undefined, [outChannels, inChannels]);
}

/** The product of the last axis of x with packed weights. */
function rowsOnWasm(
  kernels: WasmKernels,
  x: tf.TensorInfo,
  panels: number,
  bias: tf.TensorInfo | undefined,
  [inChannels, outChannels]: readonly [number, number],
): tf.TensorInfo {
  const leading = x.shape.slice(0, -1);
  const rows = elementCount(leading);
  const y = kernels.output([...leading, outChannels]);
  const column = 4 * outChannels;
  multiply(kernels, x, panels, bias, rowsGeometry(rows, inChannels, outChannels), {
    address: kernels.address(y),
    strides: [rows * column, rows * column, column],
  });
  return y;
}
