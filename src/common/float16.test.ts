import { expect, it } from 'vitest';
import { bfloat16ToNumber, float16Table, numberToFloat16Bits } from './float16';

/** Spot values of IEEE 754-2019 binary16 (as `numpy.float16` and `struct.pack('<e')` give them). */
const KNOWN: readonly [bits: number, value: number][] = [
  [0x0000, 0],
  [0x3c00, 1],
  [0xc000, -2],
  [0x7bff, 65504],
  [0x0400, 2 ** -14],
  [0x03ff, (1023 / 1024) * 2 ** -14],
  [0x0001, 2 ** -24],
  [0x3555, 0.333251953125],
  [0x7c00, Number.POSITIVE_INFINITY],
  [0xfc00, Number.NEGATIVE_INFINITY],
];

it.each(KNOWN)('%i is %f, both ways', (bits, value) => {
  expect(float16Table()[bits]).toBe(value);
  expect(numberToFloat16Bits(value)).toBe(bits);
});

it('every half survives the way to a number and back', () => {
  const table = float16Table();
  for (let bits = 0; bits < table.length; bits += 1) {
    const value = table[bits]!;
    if (!Number.isNaN(value) && numberToFloat16Bits(value) !== bits)
      expect.fail(`bits ${bits}, value ${value}`);
  }
});

it('NaN stays NaN, with its sign bit or without', () => {
  expect(float16Table()[0x7e00]).toBeNaN();
  expect(float16Table()[0xfc01]).toBeNaN();
  expect(numberToFloat16Bits(Number.NaN) & 0x7fff).toBeGreaterThan(0x7c00);
});

it.each([
  ['a tie goes to the even half below', 1 + 1 / 2048, 0x3c00],
  ['a tie goes to the even half above', 1 + 3 / 2048, 0x3c02],
  ['just above a tie goes up', 1 + 1.001 / 2048, 0x3c01],
  ['the last value that rounds down', 65519.996, 0x7bff],
  ['half a step over the largest is infinity', 65520, 0x7c00],
  ['a subnormal tie goes to even', 2.5 * 2 ** -24, 0x0002],
  ['below half the smallest is zero', 2 ** -26, 0x0000],
  ['a rounded subnormal may become normal', 2 ** -14 - 2 ** -26, 0x0400],
  ['negative zero keeps its sign', -0, 0x8000],
])('%s', (_, value, bits) => {
  expect(numberToFloat16Bits(value)).toBe(bits);
});

it('bfloat16 is the upper half of a float32', () => {
  expect(bfloat16ToNumber(0x3f80)).toBe(1);
  expect(bfloat16ToNumber(0xc2f7)).toBe(-123.5);
  expect(bfloat16ToNumber(0x7fc0)).toBeNaN();
});
