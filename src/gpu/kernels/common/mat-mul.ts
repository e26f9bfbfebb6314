import * as tf from '@tensorflow/tfjs-core';
import { deferProduct } from '../product/product';
import { rowsGeometry } from '../product/product-program';
import { webGpuBackend } from './gpu-program';
import { kernelVariant } from './kernel-variant';

/** Whether the current backend is WebAssembly; the ops that pick another composition there say why. */
export function onWasm(): boolean {
  return tf.getBackend() === 'wasm';
}

/**
 * a b, over the last two axes; `transpose` says which operand is transposed first.
 *
 * tfjs's wasm kernel hands only plain 2-D products to XNNPACK and computes transposed and batched ones in a naive
 * loop (measured at 1024 x 128 x 512: 19-29 GFLOP/s against 0.4-1.9), so there the operand is transposed by an op of
 * its own. Batched operands are for WebGPU.
 */
export function matMul(a: tf.Tensor, b: tf.Tensor, transpose: 'none' | 'a' | 'b' = 'none'): tf.Tensor {
  if (!onWasm()) {
    return product(a, b, transpose) ?? tf.matMul(a, b, transpose === 'a', transpose === 'b');
  }
  return tf.matMul(transpose === 'a' ? swapLastAxes(a) : a, transpose === 'b' ? swapLastAxes(b) : b);
}

/** On WebGPU, the studio's own product of two matrices; null for batches and where it does not apply. */
function product(a: tf.Tensor, b: tf.Tensor, transpose: 'none' | 'a' | 'b'): tf.Tensor | null {
  if (a.rank !== 2 || b.rank !== 2 || kernelVariant(webGpuBackend()) === 'composed') return null;
  const left = transpose === 'a' ? swapLastAxes(a) : a;
  const right = transpose === 'b' ? swapLastAxes(b) : b;
  const [rows, inner] = left.shape as [number, number];
  const columns = right.shape[1]!;
  const info = deferProduct(left, right, undefined, rowsGeometry(rows, inner, columns), [rows, columns]);
  return info && tf.engine().makeTensorFromTensorInfo(info);
}

/** [..., I, J] -> [..., J, I]. */
export function swapLastAxes(x: tf.Tensor): tf.Tensor {
  const axes = x.shape.map((_, axis) => axis);
  const last = axes.length - 1;
  return tf.transpose(x, [...axes.slice(0, -2), last, last - 1]);
}
