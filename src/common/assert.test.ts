import { describe, expect, it } from 'vitest';
import { assert, elementCount, matchShape, required } from './assert';
import { InternalError, InvalidInputError } from './errors';

describe('matchShape', () => {
  it('gives the sizes that letters stand for', () => {
    expect(matchShape('x', [2, 5, 8], ['B', 'L', 8])).toEqual({ B: 2, L: 5 });
    expect(matchShape('x', [2, 3, 4, 8], ['...', 8])).toEqual({});
  });

  it.each([
    ['another size', [2, 5, 9], ['B', 'L', 8], 'x should be [B, L, 8], got [2, 5, 9].'],
    ['another rank', [5, 8], ['B', 'L', 8], 'x should be [B, L, 8], got [5, 8].'],
    ['a letter with two sizes', [2, 3], ['D', 'D'], 'x should be [D, D], got [2, 3].'],
    ['too few axes behind the dots', [8], ['...', 'L', 8], 'x should be [..., L, 8], got [8].'],
    ['a scalar', [], ['...', 8], 'x should be [..., 8], got [].'],
  ] as const)('refuses %s', (_, shape, pattern, message) => {
    expect(() => matchShape('x', shape, pattern)).toThrow(new InvalidInputError(message));
  });
});

it('a broken assumption is a bug of the studio', () => {
  expect(() => assert(false, 'no')).toThrow(InternalError);
  expect(() => required(undefined, 'a name')).toThrow('Expected a name, got undefined.');
  expect(required(0, 'a number')).toBe(0);
});

it('a scalar has one element, and any zero size has none', () => {
  expect(elementCount([])).toBe(1);
  expect(elementCount([3, 0, 5])).toBe(0);
});
