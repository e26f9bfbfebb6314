import { InternalError, InvalidInputError } from './errors';

/** Throws InternalError: a condition that only a bug of the studio can break. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InternalError(message);
}

/** Throws InternalError naming what is missing; returns the value otherwise. */
export function required<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new InternalError(`Expected ${what}, got ${value}.`);
  return value;
}

/** `[2, 3, 4]` as text: how shapes are written in every message. */
export function formatShape(shape: readonly (number | string)[]): string {
  return `[${shape.join(', ')}]`;
}

/** The product of the sizes; 1 for a scalar. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

export function shapesEqual(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/**
 * Checks a shape against a pattern: a number must match, a letter stands for any size (and for the same size each
 * time it comes), and a leading `'...'` stands for any number of axes.
 *
 * @returns the sizes the letters stand for.
 * @throws InvalidInputError `linear: x should be [..., 320], got [2, 64]`.
 */
export function matchShape(
  what: string,
  shape: readonly number[],
  pattern: readonly (number | string)[],
): Record<string, number> {
  const open = pattern[0] === '...';
  const sizes = open ? pattern.slice(1) : pattern;
  const trailing = open ? shape.slice(Math.max(0, shape.length - sizes.length)) : shape;
  const letters: Record<string, number> = {};
  const matches =
    trailing.length === sizes.length &&
    trailing.every((size, axis) => {
      const expected = sizes[axis]!;
      if (typeof expected === 'number') return size === expected;
      letters[expected] ??= size;
      return letters[expected] === size;
    });
  if (!matches) {
    throw new InvalidInputError(`${what} should be ${formatShape(pattern)}, got ${formatShape(shape)}.`);
  }
  return letters;
}
