import { describe, expect, it } from 'vitest';
import { InvalidInputError } from '../common/errors';
import { TorchGenerator } from '../common/random';
import { expectClose, loadFixture } from '../testing';
import { testSound } from '../testing/audio-signals';
import { logMelSpectrogram, TANGO_LOG_MEL } from './log-mel';
import { hzToMel, melFilterBank, melToHz } from './mel';
import { prepareWaveform } from './prepare-waveform';
import { magnitudeSpectrogram } from './stft';

const filters = await loadFixture(new URL('./fixtures/mel.safetensors', import.meta.url));
const fixture = await loadFixture(new URL('./fixtures/log-mel.safetensors', import.meta.url));

describe('mel filters equal librosa.filters.mel', () => {
  it("Tango's bank", async () => {
    const dense = new Float32Array(64 * 513); // [64, 513]
    melFilterBank(TANGO_LOG_MEL).forEach(({ firstBin, weights }, m) => {
      dense.set(weights, m * 513 + firstBin);
    });
    await expectClose(dense, filters.values('tango'), { relativeToRms: 1e-5 });
  });

  it('48 kHz, 50–14,000 Hz, applied to spectra', async () => {
    const probes = new TorchGenerator(1).randn(4 * 513).map(Math.abs); // [4, 513]
    const bank = melFilterBank({
      sampleRateHz: 48_000,
      fftLength: 1024,
      melBins: 64,
      minFrequencyHz: 50,
      maxFrequencyHz: 14_000,
    });
    const applied = [0, 1, 2, 3].flatMap((row) =>
      bank.map(({ firstBin, weights }) =>
        weights.reduce((sum, weight, k) => sum + weight * probes[row * 513 + firstBin + k]!, 0),
      ),
    );
    await expectClose(applied, filters.values('clap.applied'), { relativeToRms: 1e-5 });
  });

  it("Slaney's scale, both ways", async () => {
    const frequencies = [...filters.values('hz').data];
    await expectClose(frequencies.map(hzToMel), filters.values('mel'), { relativeToRms: 1e-12 });
    await expectClose([...filters.values('mel').data].map(melToHz), filters.values('hz'), {
      relativeToRms: 1e-12,
    });
  });

  it('refuses bins above half the sample rate', () => {
    expect(() => melFilterBank({ ...TANGO_LOG_MEL, maxFrequencyHz: 8001 })).toThrow(/half the sample rate/);
  });
});

describe("Tango's front end equals the reference", () => {
  const relativeToRms = fixture.metadata<number>('tolerance');

  it('preparation, padded', async () => {
    await expectClose(prepareWaveform(testSound(2, 6000), 8000), fixture.values('prepared.padded'), {
      relativeToRms,
    });
  });

  it('preparation, cut', async () => {
    await expectClose(prepareWaveform(testSound(3, 9000), 8000), fixture.values('prepared.cut'), {
      relativeToRms,
    });
  });

  it('log-mel, every frame', async () => {
    const mel = logMelSpectrogram(prepareWaveform(testSound(2, 6000), 8000), TANGO_LOG_MEL, { frames: 51 });
    await expectClose(mel.data, fixture.values('mel'), { relativeToRms });
  });

  it('log-mel of a whole clip: 1025 frames are cut to 1024', async () => {
    const mel = logMelSpectrogram(prepareWaveform(testSound(4, 150_000), 163_840));
    expect([mel.frames, mel.melBins]).toEqual([1024, 64]);
    const everyFrame41 = Array.from({ length: 25 }, (_, i) => [
      ...mel.data.subarray(i * 41 * 64, (i * 41 + 1) * 64),
    ]);
    await expectClose(everyFrame41.flat(), fixture.values('mel.clip'), { relativeToRms });
  });
});

describe('log-mel of odd sounds', () => {
  it('silence is log(1e-5) everywhere', () => {
    const mel = logMelSpectrogram(new Float32Array(1600));
    expect(mel.frames).toBe(10);
    expect(new Set(mel.data)).toEqual(new Set([Math.fround(Math.log(1e-5))]));
  });

  it('frames beyond the sound are zeros, as the released padding', () => {
    const mel = logMelSpectrogram(new Float32Array(1600), TANGO_LOG_MEL, { frames: 12 });
    expect([...mel.data.subarray(11 * 64)]).toEqual(new Array(64).fill(0));
  });

  it.each([0, 1, 512])('%i samples are too short to be reflected', (length) => {
    expect(() => logMelSpectrogram(new Float32Array(length))).toThrow(InvalidInputError);
    expect(() => logMelSpectrogram(new Float32Array(length))).toThrow(/more than 512 samples/);
  });

  it.each([
    { fftLength: 1000, hopLengthSamples: 160 },
    { fftLength: 1024, hopLengthSamples: 0 },
    { fftLength: 1024, hopLengthSamples: 160, windowLengthSamples: 1025 },
  ])('refuses %o', (options) => {
    expect(() => magnitudeSpectrogram(new Float32Array(2000), options)).toThrow(InvalidInputError);
  });

  it('a window shorter than the transform is centred in it', () => {
    const impulse = new Float32Array(2000);
    impulse[640] = 1; // the centre of frame 4, where the window is 1
    const { data, bins } = magnitudeSpectrogram(impulse, {
      fftLength: 1024,
      hopLengthSamples: 160,
      windowLengthSamples: 400,
    });
    expect(data[4 * bins]).toBeCloseTo(1, 6);
    expect(data[2 * bins]).toBe(0); // 320 samples away, outside the window
  });
});

describe('preparation of odd sounds', () => {
  it('silence stays silence', () => {
    expect([...prepareWaveform(new Float32Array(4))]).toEqual([0, 0, 0, 0]);
    expect([...prepareWaveform(new Float32Array(4).fill(0.25), 6)]).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('no samples, one sample', () => {
    expect(prepareWaveform(new Float32Array(0)).length).toBe(0);
    expect([...prepareWaveform(new Float32Array([0.7]), 2)]).toEqual([0, 0]);
  });

  it('refuses NaN and infinity', () => {
    expect(() => prepareWaveform(new Float32Array([0, Number.NaN]))).toThrow(/sample 1 is NaN/);
    expect(() => prepareWaveform(new Float32Array([Number.POSITIVE_INFINITY]))).toThrow(InvalidInputError);
  });
});
