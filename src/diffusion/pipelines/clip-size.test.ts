import { describe, expect, it } from 'vitest';
import { clipSize } from './clip-size';

const TANGO = {
  sampleRateHz: 16_000,
  hopLengthSamples: 160,
  melBins: 64,
  latentChannels: 8,
  vaeFactor: 4,
  unetFactor: 8,
};

describe('clipSize', () => {
  it.each([
    [10.24, 163_840, 1024, [1, 8, 256, 16]],
    [5.12, 81_920, 512, [1, 8, 128, 16]],
    [5, 80_000, 512, [1, 8, 128, 16]],
    [1, 16_000, 128, [1, 8, 32, 16]],
    [9.999, 159_984, 1024, [1, 8, 256, 16]],
  ])('%s s of Tango', (seconds, samples, paddedFrames, latentShape) => {
    const size = clipSize(seconds, TANGO);
    expect(size).toMatchObject({ samples, paddedFrames, latentShape });
    expect(size.frames).toBe(Math.ceil(samples / 160));
    expect(size.frames).toBeLessThanOrEqual(size.paddedFrames);
  });
});
