import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../common/errors';
import { loadFixture } from '../testing';
import { noise, testSound } from '../testing/audio-signals';
import { integratedLoudness, kWeightingFilters, samplePeakDbfs } from './loudness';

const fixture = await loadFixture(new URL('./fixtures/loudness.safetensors', import.meta.url));
const expected = fixture.values('mono-stereo-peak').data;

describe('loudness equals pyloudnorm', () => {
  const cases = fixture
    .metadata<[number, number][]>('cases')
    .map(([rate, samples], i) => ({ rate, samples, i }));
  it.each(cases)('$samples samples at $rate Hz', ({ rate, samples, i }) => {
    const left = testSound(10, samples, rate);
    const right = noise(11, samples).map((x, j) => x * ((0.3 * j) / (samples - 1)));
    expect(integratedLoudness([left], rate)).toBeCloseTo(expected[i * 3]!, 3);
    expect(integratedLoudness([left, right], rate)).toBeCloseTo(expected[i * 3 + 1]!, 3);
    expect(samplePeakDbfs([left])).toBeCloseTo(expected[i * 3 + 2]!, 4);
  });

  it('filters at 48 kHz are the ones that BS.1770-4 prints', () => {
    const [shelf, pass] = kWeightingFilters(48_000);
    const printed = {
      b: [1.53512485958697, -2.69169618940638, 1.19839281085285],
      a: [-1.69065929318241, 0.73248077421585],
    };
    printed.b.forEach((value, i) => {
      expect(shelf.b[i]).toBeCloseTo(value, 8);
    });
    printed.a.forEach((value, i) => {
      expect(shelf.a[i]).toBeCloseTo(value, 8);
    });
    expect(pass.b).toEqual([1, -2, 1]);
    [-1.99004745483398, 0.99007225036621].forEach((value, i) => {
      expect(pass.a[i]).toBeCloseTo(value, 8);
    });
  });

  it('a full-scale 997 Hz sine at 48 kHz is −3.01 LUFS, as the standard says', () => {
    const sine = new Float32Array(96_000).map((_, i) => Math.sin((2 * Math.PI * 997 * i) / 48_000));
    expect(integratedLoudness([sine], 48_000)).toBeCloseTo(-3.01, 2);
  });
});

describe('loudness of odd sounds', () => {
  it('silence', () => {
    expect(integratedLoudness([new Float32Array(16_000)], 16_000)).toBe(Number.NEGATIVE_INFINITY);
    expect(samplePeakDbfs([new Float32Array(4)])).toBe(Number.NEGATIVE_INFINITY);
  });

  it.each([
    ['too short', () => integratedLoudness([new Float32Array(6399)], 16_000), /0.4 s/],
    ['no channels', () => integratedLoudness([], 16_000), /one or two channels/],
    [
      'unequal channels',
      () => integratedLoudness([new Float32Array(9), new Float32Array(8)], 16_000),
      /one length/,
    ],
    ['0 Hz', () => integratedLoudness([new Float32Array(9)], 0), /Hz/],
  ])('%s', (_, measure, message) => {
    expect(measure).toThrow(InvalidInputError);
    expect(measure).toThrow(message);
  });
});
