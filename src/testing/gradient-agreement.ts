import { expect } from 'vitest';

/** Least cosine between a gradient and torch's, and the most that their norms may differ, relatively. */
const LEAST_COSINE = 0.9999;
const NORM_TOLERANCE = 1e-3;

/** Expects two gradients to point the same way with the same length. */
export function expectSameDirection(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  label: string,
): void {
  expect(actual.length, label).toBe(expected.length);
  let dot = 0;
  let actualSquares = 0;
  let expectedSquares = 0;
  for (let i = 0; i < expected.length; i += 1) {
    dot += actual[i]! * expected[i]!;
    actualSquares += actual[i]! ** 2;
    expectedSquares += expected[i]! ** 2;
  }
  expect(dot / Math.sqrt(actualSquares * expectedSquares), `cosine of ${label}`).toBeGreaterThanOrEqual(
    LEAST_COSINE,
  );
  const ratio = Math.sqrt(actualSquares / expectedSquares);
  expect(Math.abs(ratio - 1), `norm of ${label}`).toBeLessThan(NORM_TOLERANCE);
}

/** Of weights after three steps of AdamW: the norm of the difference, by that of what is expected. */
const STEPS_TOLERANCE = 1e-4;

/** Expects a weight after three steps of AdamW to be torch's. */
export function expectSameAfterSteps(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  label: string,
): void {
  expect(actual.length, label).toBe(expected.length);
  let apart = 0;
  let squares = 0;
  for (let i = 0; i < expected.length; i += 1) {
    apart += (actual[i]! - expected[i]!) ** 2;
    squares += expected[i]! ** 2;
  }
  expect(Math.sqrt(apart / squares), `${label} after the steps`).toBeLessThanOrEqual(STEPS_TOLERANCE);
}
