import { fft } from 'fourier-transform';
import { InvalidInputError } from '../common/errors';
import { hannWindow } from './stft';

/** Transform length of the sound level for each rate that the released code knows. */
const LEVEL_FFT_LENGTH: ReadonlyMap<number, number> = new Map([
  [16_000, 2048],
  [44_100, 4096],
]);
/** Frames and weights quieter than this count as this. */
const MIN_DB = -80;

/**
 * The level of a sound as Tango's mixing measures it: the loudest A-weighted frame (half-overlapping Hann frames),
 * in dB with no calibration.
 *
 * @param waveform [samples]; at least one frame (2048 at 16 kHz, 4096 at 44.1 kHz)
 * @throws InvalidInputError for another rate or a shorter sound
 */
export function soundLevelDb(waveform: Float32Array, sampleRateHz: number): number {
  const fftLength = LEVEL_FFT_LENGTH.get(sampleRateHz);
  if (fftLength === undefined) {
    throw new InvalidInputError(
      `Sounds are mixed at ${[...LEVEL_FFT_LENGTH.keys()].join(' or ')} Hz, but ${sampleRateHz} Hz came. Resample first.`,
    );
  }
  if (waveform.length < fftLength) {
    throw new InvalidInputError(
      `The level of a sound at ${sampleRateHz} Hz needs at least ${fftLength} samples, but ${waveform.length} came. Use a longer sound.`,
    );
  }
  const window = hannWindow(fftLength);
  const weights = aWeightingPower(sampleRateHz, fftLength); // [fftLength / 2 + 1]
  const frame = new Float64Array(fftLength);
  let loudest = 10 ** (MIN_DB / 10);
  for (let start = 0; start + fftLength <= waveform.length; start += fftLength / 2) {
    for (let i = 0; i < fftLength; i += 1) frame[i] = window[i]! * waveform[start + i]!;
    const [real, imaginary] = fft(frame);
    let power = 0;
    for (let k = 0; k < weights.length; k += 1) {
      power += weights[k]! * (real[k]! * real[k]! + imaginary[k]! * imaginary[k]!);
    }
    loudest = Math.max(loudest, power);
  }
  return 10 * Math.log10(loudest);
}

/**
 * Two sounds in one, so that both are heard as loud as `ratio` says (the Tango 2 paper's equations 9 and 10, from
 * between-class learning, Tokozume et al. 2018):
 *
 *   p = 1 / (1 + 10^((G1 − G2) / 20) · (1 − r) / r)         G: `soundLevelDb`
 *   mix = (p · x1 + (1 − p) · x2) / sqrt(p² + (1 − p)²)
 *
 * The result is not clipped; the released code then scales the whole batch to a peak of 0.5 (`scaleToPeak`).
 *
 * @param first, second [samples] each, of one length
 * @param ratio share of the first sound, inside 0…1; Tango uses 0.5
 * @throws InvalidInputError for other lengths, ratios or rates
 */
export function mixSounds(
  first: Float32Array,
  second: Float32Array,
  sampleRateHz: number,
  ratio = 0.5,
): Float32Array {
  if (first.length !== second.length) {
    throw new InvalidInputError(
      `Two sounds are mixed when they have one length, but ${first.length} and ${second.length} samples came. Pad or cut one of them.`,
    );
  }
  if (!(ratio > 0 && ratio < 1)) {
    throw new InvalidInputError(`The mixing ratio is between 0 and 1, but ${ratio} came.`);
  }
  const difference = soundLevelDb(first, sampleRateHz) - soundLevelDb(second, sampleRateHz);
  const p = 1 / (1 + (10 ** (difference / 20) * (1 - ratio)) / ratio);
  const norm = Math.sqrt(p ** 2 + (1 - p) ** 2);
  return first.map((x, i) => (x * p + second[i]! * (1 - p)) / norm);
}

/** The caption of a mixture: "A dog barks" with "A cat meows" is "A dog barks and a cat meows". */
export function joinCaptions(first: string, second: string): string {
  const [initial = '', ...rest] = second; // by code point
  return `${first} and ${initial.toLowerCase()}${rest.join('')}`;
}

/** A-weighting (IEC 61672) as a factor of power, [fftLength / 2 + 1]; bin 0 is taken at 1 Hz. */
function aWeightingPower(sampleRateHz: number, fftLength: number): Float64Array {
  const bins = fftLength / 2 + 1;
  const nyquistHz = Math.floor(sampleRateHz / 2);
  return Float64Array.from({ length: bins }, (_, k) => {
    const squared = k === 0 ? 1 : ((k * nyquistHz) / (bins - 1)) ** 2;
    const weightDb =
      2 +
      20 *
        (2 * Math.log10(12_194) +
          2 * Math.log10(squared) -
          Math.log10(squared + 12_194 ** 2) -
          Math.log10(squared + 20.6 ** 2) -
          0.5 * Math.log10(squared + 107.7 ** 2) -
          0.5 * Math.log10(squared + 737.9 ** 2));
    return 10 ** (Math.max(weightDb, MIN_DB) / 10);
  });
}
