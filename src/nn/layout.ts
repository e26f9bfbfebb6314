/** How PyTorch's parameter axes become ours: the one place where layouts change. */
import { elementCount } from '../common/assert';

export type ParameterLayout =
  | 'linear'
  | 'conv2d'
  | 'conv1d'
  | 'convTranspose1d'
  | 'vector'
  | 'embedding'
  | 'matrix';

/** For each axis of ours, the axis of PyTorch's tensor. */
const AXES: Readonly<Record<ParameterLayout, readonly number[]>> = {
  linear: [1, 0], // [out, in] -> [in, out]
  conv2d: [2, 3, 1, 0], // [out, in, kh, kw] -> [kh, kw, in, out]
  conv1d: [2, 1, 0], // [out, in, k] -> [k, in, out]
  convTranspose1d: [2, 0, 1], // [in, out, k] -> [k, in, out]
  vector: [0],
  embedding: [0, 1],
  matrix: [0, 1], // [in, out], as GPT-2's files have it
};

/** The axes that a parameter of this layout has in PyTorch. */
export function layoutRank(layout: ParameterLayout): number {
  return AXES[layout].length;
}

/** The shape of a parameter here, from its shape in PyTorch. */
export function layoutShape(layout: ParameterLayout, torchShape: readonly number[]): readonly number[] {
  return AXES[layout].map((axis) => torchShape[axis]!);
}

type Numbers = Float32Array | Uint16Array;

/**
 * Copies a tensor from PyTorch's axis order to ours. Reads are strided, writes are in order.
 *
 * @param source PyTorch order, torchShape
 * @param target our order, of the same length
 * @param decode applied to each value (a table of halves, for example)
 */
export function copyToLayout(
  layout: ParameterLayout,
  torchShape: readonly number[],
  source: Numbers,
  target: Numbers,
  decode?: Float32Array,
): void {
  const axes = AXES[layout];
  const strides = torchShape.map((_, axis) => elementCount(torchShape.slice(axis + 1)));
  // Four axes, the first ones of size 1, so that one loop nest serves every rank.
  const missing = 4 - axes.length;
  const size = [1, 1, 1, 1];
  const stride = [0, 0, 0, 0];
  axes.forEach((axis, i) => {
    size[missing + i] = torchShape[axis]!;
    stride[missing + i] = strides[axis]!;
  });
  const [s0, s1, s2, s3] = stride as [number, number, number, number];
  let position = 0;
  for (let i = 0; i < size[0]!; i += 1) {
    for (let j = 0; j < size[1]!; j += 1) {
      for (let k = 0; k < size[2]!; k += 1) {
        let from = i * s0 + j * s1 + k * s2;
        for (let l = 0; l < size[3]!; l += 1) {
          const value = source[from]!;
          target[position] = decode ? decode[value]! : value;
          position += 1;
          from += s3;
        }
      }
    }
  }
}

/** The inverse of `copyToLayout`. @param source our order @param target PyTorch order, torchShape, of the same length */
export function copyFromLayout(
  layout: ParameterLayout,
  torchShape: readonly number[],
  source: Numbers,
  target: Numbers,
): void {
  const axes = AXES[layout];
  const strides = torchShape.map((_, axis) => elementCount(torchShape.slice(axis + 1)));
  const size = axes.map((axis) => torchShape[axis]!);
  const stride = axes.map((axis) => strides[axis]!);
  const index = new Int32Array(axes.length);
  let to = 0;
  for (let position = 0; position < source.length; position += 1) {
    target[to] = source[position]!;
    for (let axis = axes.length - 1; axis >= 0; axis -= 1) {
      index[axis] = index[axis]! + 1;
      to += stride[axis]!;
      if (index[axis]! < size[axis]!) break;
      to -= size[axis]! * stride[axis]!;
      index[axis] = 0;
    }
  }
}
