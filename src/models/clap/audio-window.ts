import * as tf from '@tensorflow/tfjs-core';

/** How a grid of states is cut into the windows in which HTSAT attends: pure index work on channels-last tensors. */

/** [B, H, W, C] → [B · H/w · W/w, w · w, C], windows row by row. */
export function windowPartition(x: tf.Tensor4D, window: number): tf.Tensor3D {
  const [batch, height, width, channels] = x.shape;
  const [rows, columns] = [height / window, width / window];
  const strips = tf.reshape(x, [batch * rows, window, columns, window * channels]);
  return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch * rows * columns, window * window, channels]);
}

/** The inverse: [B · H/w · W/w, w · w, C] → [B, H, W, C]. */
export function windowReverse(
  windows: tf.Tensor3D,
  window: number,
  height: number,
  width: number,
): tf.Tensor4D {
  const channels = windows.shape[2];
  const [rows, columns] = [height / window, width / window];
  const batch = windows.shape[0] / (rows * columns);
  const strips = tf.reshape(windows, [batch * rows, columns, window, window * channels]);
  return tf.reshape(tf.transpose(strips, [0, 2, 1, 3]), [batch, height, width, channels]);
}

/** torch.roll by `shift` along H and W: what leaves at one side comes in at the other. [B, H, W, C] */
export function roll(x: tf.Tensor4D, shift: number): tf.Tensor4D {
  if (shift === 0) return x;
  return tf.tidy(() => rollAxis(rollAxis(x, shift, 1), shift, 2));
}

function rollAxis(x: tf.Tensor4D, shift: number, axis: 1 | 2): tf.Tensor4D {
  const size = x.shape[axis];
  const first = (((-shift % size) + size) % size) as number;
  const [head, tail] = tf.split(x, [first, size - first], axis) as [tf.Tensor4D, tf.Tensor4D];
  return tf.concat([tail, head], axis);
}

/**
 * For each pair of places in a window, which row of the table of biases is theirs: dy · (2w − 1) + dx.
 * Row-major [w · w, w · w].
 */
export function relativePositionIndex(window: number): Int32Array {
  const places = window * window;
  return Int32Array.from({ length: places * places }, (_, i) => {
    const [query, key] = [Math.floor(i / places), i % places];
    const dy = Math.floor(query / window) - Math.floor(key / window) + window - 1;
    const dx = (query % window) - (key % window) + window - 1;
    return dy * (2 * window - 1) + dx;
  });
}

/**
 * After a cyclic shift a window may hold places that were far apart: −100 between places of different regions, as
 * upstream (not −∞).
 *
 * @returns [windows, w · w, w · w], row-major
 */
export function shiftedWindowMask(
  height: number,
  width: number,
  window: number,
  shift: number,
): Float32Array {
  const region = (at: number, size: number): number =>
    Number(at >= size - window) + Number(at >= size - shift);
  const [rows, columns, places] = [height / window, width / window, window * window];
  const mask = new Float32Array(rows * columns * places * places);
  let position = 0;
  for (let row = 0; row < rows; row += 1) {
    for (let column = 0; column < columns; column += 1) {
      const regions = Array.from({ length: places }, (_, place) => {
        const y = row * window + Math.floor(place / window);
        const x = column * window + (place % window);
        return region(y, height) * 3 + region(x, width);
      });
      for (const query of regions) for (const key of regions) mask[position++] = query === key ? 0 : -100;
    }
  }
  return mask;
}
