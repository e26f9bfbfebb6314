import { describe, expect, it } from 'vitest';
import { InvalidInputError } from './errors';
import fixture from './fixtures/random.json';
import { TorchGenerator } from './random';

/** torch's vectorised log/sin/cos differ in their last bits from CPU to CPU. */
function expectNormals(actual: Float32Array, expected: readonly number[]): void {
  expect(actual.length).toBe(expected.length);
  expected.forEach((value, i) => {
    expect(Math.abs(actual[i]! - value)).toBeLessThanOrEqual(
      fixture.metadata.tolerance * Math.max(1, Math.abs(value)),
    );
  });
}

describe.each(fixture.cases)('TorchGenerator of seed $seed equals torch', (reference) => {
  it.each(Object.entries(reference.randn))('randn(%s)', (length, expected) => {
    expectNormals(new TorchGenerator(reference.seed).randn(Number(length)), expected);
  });

  it('randn(4096), every 61st', () => {
    const all = new TorchGenerator(reference.seed).randn(4096);
    expectNormals(
      all.filter((_, i) => i % 61 === 0),
      reference.randn4096every61,
    );
  });

  it('calls of several sizes on one generator', () => {
    const generator = new TorchGenerator(reference.seed);
    fixture.mixed.forEach((length, i) => {
      expectNormals(generator.randn(length).slice(-20), reference.mixed[i]!);
    });
  });

  it('rand, bit for bit', () => {
    expect([...new TorchGenerator(reference.seed).rand(40)]).toEqual(reference.rand);
  });

  it.each(reference.randint)('randint($low, $high), bit for bit', ({ low, high, values }) => {
    expect(new TorchGenerator(reference.seed).randint(low, high, 6)).toEqual(values);
  });
});

describe('TorchGenerator', () => {
  it.each([-1, 1.5, Number.NaN, 2 ** 53])('refuses the seed %s', (seed) => {
    expect(() => new TorchGenerator(seed)).toThrow(InvalidInputError);
  });

  it('refuses empty ranges and negative lengths', () => {
    const generator = new TorchGenerator(0);
    expect(() => generator.randint(3, 3, 1)).toThrow(InvalidInputError);
    expect(() => generator.randn(-1)).toThrow(InvalidInputError);
  });
});
