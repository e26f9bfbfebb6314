import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../common/errors';
import { expectClose, loadFixture } from '../testing';
import { noise } from '../testing/audio-signals';
import { resample } from './resample';

const fixture = await loadFixture(new URL('./fixtures/resample.safetensors', import.meta.url));

describe('resample equals torchaudio.functional.resample', () => {
  it.each(fixture.names.filter((name) => /^\d/.test(name)))('%s', async (name) => {
    const [from, to] = name.split('-').map(Number);
    await expectClose(resample(noise(5, 700), from!, to!), fixture.values(name), {
      relativeToRms: fixture.metadata<number>('tolerance') * 2, // noise itself agrees to 1e-6
    });
  });

  it('as torchaudio computes it in float32', async () => {
    await expectClose(resample(noise(5, 700), 44_100, 16_000), fixture.values('float32.44100-16000'), {
      relativeToRms: 1e-4,
    });
  });

  it.each(fixture.metadata<[number, number, number, number][]>('lengths'))(
    '%i samples, %i → %i Hz, are %i',
    (samples, from, to, expected) => {
      expect(resample(new Float32Array(samples), from, to).length).toBe(expected);
    },
  );
});

describe('resample', () => {
  it('copies when the rates are equal', () => {
    const sound = noise(1, 10);
    const same = resample(sound, 16_000, 16_000);
    expect(same).toEqual(sound);
    expect(same).not.toBe(sound);
  });

  it('gives nothing for nothing', () => {
    expect(resample(new Float32Array(0), 44_100, 16_000).length).toBe(0);
  });

  it('keeps a tone below the cut-off and removes one above it', () => {
    const tone = (hz: number) =>
      new Float32Array(8820).map((_, i) => Math.sin((2 * Math.PI * hz * i) / 44_100));
    const peak = (x: Float32Array) => Math.max(...x.subarray(500, -500).map(Math.abs));
    expect(peak(resample(tone(1000), 44_100, 16_000))).toBeCloseTo(1, 2);
    expect(peak(resample(tone(12_000), 44_100, 16_000))).toBeLessThan(0.01);
  });

  it.each([0, -1, 1.5, Number.NaN, 1e9])('refuses the rate %s', (rate) => {
    expect(() => resample(new Float32Array(4), rate, 16_000)).toThrow(InvalidInputError);
    expect(() => resample(new Float32Array(4), 16_000, rate)).toThrow(/whole number of Hz/);
  });
});
