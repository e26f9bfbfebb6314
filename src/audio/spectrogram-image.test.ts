import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../common/errors';
import { spectrogramImage } from './spectrogram-image';

/** Natural logarithm of a magnitude that is `db` decibels. */
const level = (db: number) => (db / 20) * Math.LN10;
const mel = (...decibels: number[]) => ({
  data: Float32Array.from(decibels, level),
  frames: 1,
  melBins: decibels.length,
});

describe('spectrogramImage', () => {
  it('is linear in decibels below its loudest value', () => {
    const image = spectrogramImage(mel(20, 0, -20, -60, -100));
    expect(image.ceilingDb).toBeCloseTo(20, 4);
    [1, 0.75, 0.5, 0, 0].forEach((expected, i) => {
      expect(image.data[i]).toBeCloseTo(expected, 5);
    });
  });

  it('takes a ceiling, to compare takes', () => {
    const image = spectrogramImage(mel(0, 20), { ceilingDb: 10, rangeDb: 40 });
    expect([...image.data]).toEqual([expect.closeTo(0.75, 5), 1]);
  });

  it('draws NaN and −∞ black, and no frames as nothing', () => {
    const broken = {
      data: new Float32Array([Number.NaN, Number.NEGATIVE_INFINITY, 0]),
      frames: 1,
      melBins: 3,
    };
    expect([...spectrogramImage(broken).data]).toEqual([0, 0, 1]);
    expect(spectrogramImage({ data: new Float32Array(0), frames: 0, melBins: 64 }).ceilingDb).toBe(0);
  });

  it('refuses a range of 0', () => {
    expect(() => spectrogramImage(mel(0), { rangeDb: 0 })).toThrow(InvalidInputError);
  });
});
