import * as tf from '@tensorflow/tfjs-core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { expectNoLeak, forEachBackend } from '../../../testing';
import '..';

/** A shape of up to five axes, and a part of it. */
const parts = fc
  .array(
    fc
      .integer({ min: 1, max: 5 })
      .chain((axis) =>
        fc
          .integer({ min: 0, max: axis - 1 })
          .chain((begin) => fc.integer({ min: 1, max: axis - begin }).map((size) => ({ axis, begin, size }))),
      ),
    { minLength: 1, maxLength: 5 },
  )
  .map((axes) => ({
    shape: axes.map(({ axis }) => axis),
    begin: axes.map(({ begin }) => begin),
    size: axes.map(({ size }) => size),
  }));

/** The part's elements, one by one. */
function expected(shape: readonly number[], begin: readonly number[], size: readonly number[]): number[] {
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return size.reduce<number[]>(
    (offsets, count, axis) =>
      offsets.flatMap((offset) =>
        Array.from({ length: count }, (_, i) => offset + (begin[axis]! + i) * strides[axis]!),
      ),
    [0],
  );
}

forEachBackend('slice', () => {
  it('takes any part of any shape', () => {
    fc.assert(
      fc.property(parts, ({ shape, begin, size }) => {
        const values = tf.tidy(() => {
          const count = shape.reduce((a, b) => a * b, 1);
          const x = tf.reshape(tf.range(0, count), shape);
          return tf.slice(x, begin, size).arraySync();
        });
        expect([values].flat(5)).toEqual(expected(shape, begin, size));
      }),
      { numRuns: 200 },
    );
  });

  it('takes rows long enough to be copied at once, integers, and nothing', async () => {
    const x = tf.reshape(tf.range(0, 4 * 3 * 50, 1, 'int32'), [4, 3, 50]);
    const rows = tf.slice(x, [1, 1, 5], [2, 2, 40]);
    expect(rows.dtype).toBe('int32');
    expect(Array.from(await rows.data()).slice(38, 42)).toEqual([243, 244, 255, 256]);
    const nothing = tf.slice(x, [0, 0, 0], [4, 0, 50]);
    expect(nothing.shape).toEqual([4, 0, 50]);
    await expectNoLeak(() => tf.slice(x, [1, 0, 0], [1, 3, 50]).dispose());
    tf.dispose([x, rows, nothing]);
  });
});
