import type * as tf from '@tensorflow/tfjs-core';
import { float, type WasmKernels } from '../../wasm-kernels/wasm-kernels';

/** Channels of a unit, at least: a line of the cache. */
const SPAN_CHANNELS = 16;

/** The channels of a unit: whole groups, in vectors of four, that divide the channels. */
function spanOf(channels: number, groupWidth: number): number {
  for (let span = groupWidth; span < channels; span += groupWidth) {
    if (span >= SPAN_CHANNELS && span % 4 === 0 && channels % span === 0) return span;
  }
  return channels;
}

/**
 * Group norm, and SiLU behind it, by the studio's own kernel (wasm-kernels/assembly/norms.ts).
 *
 * @param x [B, ..., C]
 * @returns null where the channels are no multiple of four
 */
export function groupNormOnWasm(
  kernels: WasmKernels,
  x: tf.Tensor,
  weight: tf.Tensor,
  bias: tf.Tensor,
  { groups, eps, silu }: { readonly groups: number; readonly eps: number; readonly silu: boolean },
): tf.TensorInfo | null {
  const batch = x.shape[0]!;
  const channels = x.shape.at(-1)!;
  const width = channels / groups;
  if (channels % 4 !== 0 || x.size === 0) return null;
  const span = spanOf(channels, width);
  const y = kernels.output(x.shape);
  const operands = [x, weight, bias, y].map((tensor) => kernels.address(tensor));
  const positions = x.size / batch / channels;
  kernels.run('groupNorm', (batch * channels) / span, [
    ...operands,
    ...[positions, channels, width, span, Number(silu), float(eps)],
  ]);
  return y;
}

/**
 * The gradients of x, and of weight and bias for each item (the kernel comes by them on its way).
 *
 * @returns dx [B, ..., C], and [B, 2, C]: of the weight, of the bias; null as `groupNormOnWasm`
 */
export function groupNormGradientOnWasm(
  kernels: WasmKernels,
  dy: tf.Tensor,
  { x, weight, bias }: { readonly x: tf.Tensor; readonly weight: tf.Tensor; readonly bias: tf.Tensor },
  { groups, eps, silu }: { readonly groups: number; readonly eps: number; readonly silu: boolean },
): { readonly dx: tf.TensorInfo; readonly sums: tf.TensorInfo } | null {
  const batch = x.shape[0]!;
  const channels = x.shape.at(-1)!;
  const width = channels / groups;
  if (channels % 4 !== 0 || x.size === 0) return null;
  const span = spanOf(channels, width);
  const dx = kernels.output(x.shape);
  const sums = kernels.output([batch, 2, channels]);
  const operands = [x, weight, bias, dy, dx, sums].map((tensor) => kernels.address(tensor));
  const positions = x.size / batch / channels;
  kernels.run('groupNormGradient', (batch * channels) / span, [
    ...operands,
    ...[positions, channels, width, span, Number(silu), float(eps)],
  ]);
  return { dx, sums };
}
