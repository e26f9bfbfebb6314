import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../common/errors';
import { expectClose, loadFixture } from '../testing';
import { noise, testSound } from '../testing/audio-signals';
import { joinCaptions, mixSounds, soundLevelDb } from './mixing';

const fixture = await loadFixture(new URL('./fixtures/mixing.safetensors', import.meta.url));
const relativeToRms = fixture.metadata<number>('tolerance');
const first = testSound(6, 6000);
const second = noise(7, 6000).map((x) => x * 0.02);
const silence = new Float32Array(6000);

describe("mixing equals the paper's formula", () => {
  it.each([
    ['half', () => mixSounds(first, second, 16_000)],
    ['third', () => mixSounds(first, second, 44_100, 0.3)],
    ['silent', () => mixSounds(first, silence, 16_000)],
  ] as const)('%s', async (name, mix) => {
    await expectClose(mix(), fixture.values(name), { relativeToRms });
  });

  it('sound levels in dB', () => {
    const levels = [
      soundLevelDb(first, 16_000),
      soundLevelDb(second, 16_000),
      soundLevelDb(first, 44_100),
      soundLevelDb(silence, 16_000),
    ];
    fixture.metadata<number[]>('levels').forEach((expected, i) => {
      expect(levels[i]).toBeCloseTo(expected, 4);
    });
  });

  it('mixes equally loud sounds half and half, with the energy kept', () => {
    const mixed = mixSounds(first, first, 16_000);
    expect(mixed[100]).toBeCloseTo(first[100]! * Math.SQRT2, 5);
  });
});

describe('mixing refuses', () => {
  it.each([
    ['other lengths', () => mixSounds(first, silence.subarray(1), 16_000), /one length/],
    ['other rates', () => mixSounds(first, second, 22_050), /Resample first/],
    [
      'short sounds',
      () => mixSounds(first.subarray(0, 2047), second.subarray(0, 2047), 16_000),
      /at least 2048/,
    ],
    ['a ratio of 0', () => mixSounds(first, second, 16_000, 0), /ratio/],
    ['a ratio of 1', () => mixSounds(first, second, 16_000, 1), /ratio/],
  ])('%s', (_, mix, message) => {
    expect(mix).toThrow(InvalidInputError);
    expect(mix).toThrow(message);
  });
});

describe('joined captions', () => {
  it.each([
    ['A dog barks', 'A cat meows', 'A dog barks and a cat meows'],
    ['A dog', '', 'A dog and '],
    ['x', 'Élan', 'x and élan'],
    ['x', '😀 laughs', 'x and 😀 laughs'],
  ])('%s + %s', (a, b, expected) => {
    expect(joinCaptions(a, b)).toBe(expected);
  });
});
