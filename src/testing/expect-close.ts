import type * as tf from '@tensorflow/tfjs-core';
import { expect } from 'vitest';
import { formatShape, shapesEqual } from '../common/assert';

/** Numbers with a shape: what fixtures hold. */
export interface Reference {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/**
 * Expects max |actual - expected| <= relativeToRms * rms(expected), all finite, and equal shapes.
 *
 * @param actual a tensor (read back; not disposed), or numbers with or without a shape
 */
export async function expectClose(
  actual: tf.Tensor | Reference | ArrayLike<number>,
  expected: Reference,
  { relativeToRms, label = 'values' }: { readonly relativeToRms: number; readonly label?: string },
): Promise<void> {
  if ('shape' in actual && !shapesEqual(actual.shape, expected.shape)) {
    expect.fail(`${label}: shape ${formatShape(actual.shape)}, expected ${formatShape(expected.shape)}`);
  }
  const values = 'dataSync' in actual ? await actual.data() : 'data' in actual ? actual.data : actual;
  if (values.length !== expected.data.length) {
    expect.fail(`${label}: ${values.length} values, expected ${expected.data.length}`);
  }
  const difference = maxDifference(values, expected.data);
  const rms = rootMeanSquare(expected.data);
  if (!(difference.max <= relativeToRms * rms)) {
    const i = difference.index;
    expect.fail(
      `${label}: max |difference| / rms = ${(difference.max / rms).toExponential(2)}, allowed ${relativeToRms}; ` +
        `at ${i} got ${values[i]}, expected ${expected.data[i]} (rms ${rms.toPrecision(4)})`,
    );
  }
}

/** max |actual - expected| / rms(expected): the figure that reports state. */
export function relativeError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  return maxDifference(actual, expected).max / rootMeanSquare(expected);
}

function maxDifference(a: ArrayLike<number>, b: ArrayLike<number>): { max: number; index: number } {
  let max = 0;
  let index = 0;
  for (let i = 0; i < b.length; i += 1) {
    const difference = Math.abs(a[i]! - b[i]!);
    // NaN must win, and compares false with everything.
    if (!(difference <= max)) {
      max = difference;
      index = i;
      if (Number.isNaN(difference)) break;
    }
  }
  return { max, index };
}

function rootMeanSquare(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i]! ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
}
