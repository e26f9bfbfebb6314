import { fft } from 'fourier-transform';
import { InvalidInputError } from '../common/errors';

export interface StftOptions {
  /** Samples of one transform; a power of two. */
  readonly fftLength: number;
  readonly hopLengthSamples: number;
  /** Hann window, centred in the transform; at most `fftLength`. Default: `fftLength`. */
  readonly windowLengthSamples?: number;
}

/** Row-major [frames, bins]. */
export interface Spectrogram {
  readonly data: Float32Array;
  readonly frames: number;
  readonly bins: number;
}

/** Periodic Hann window (scipy's `get_window("hann", n, fftbins=True)`). */
export function hannWindow(length: number): Float64Array {
  return Float64Array.from({ length }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / length));
}

/**
 * Magnitudes |STFT| of a signal, reflect-padded by half a transform on both sides, so that frame t is centred on
 * sample t · hop: librosa's and TacotronSTFT's framing.
 *
 * @param waveform [samples], more than fftLength / 2 of them (reflection needs them)
 * @returns [frames, bins] with frames = floor(samples / hop) + 1 and bins = fftLength / 2 + 1
 * @throws InvalidInputError when the signal is too short or the options make no transform
 */
export function magnitudeSpectrogram(waveform: Float32Array, options: StftOptions): Spectrogram {
  const { fftLength, hopLengthSamples, windowLengthSamples = fftLength } = options;
  checkOptions(fftLength, hopLengthSamples, windowLengthSamples);
  const half = fftLength / 2;
  if (waveform.length <= half) {
    throw new InvalidInputError(
      `A spectrogram with transforms of ${fftLength} samples needs a sound of more than ${half} samples, but ${waveform.length} came. Use a longer sound, or pad it with silence.`,
    );
  }
  const window = hannWindow(windowLengthSamples);
  const windowStart = Math.floor((fftLength - windowLengthSamples) / 2);
  const bins = half + 1;
  const frames = Math.floor(waveform.length / hopLengthSamples) + 1;
  const data = new Float32Array(frames * bins); // [frames, bins]
  const frame = new Float64Array(fftLength);
  for (let t = 0; t < frames; t += 1) {
    const start = t * hopLengthSamples - half + windowStart;
    for (let i = 0; i < windowLengthSamples; i += 1) {
      frame[windowStart + i] = window[i]! * waveform[reflect(start + i, waveform.length)]!;
    }
    const [real, imaginary] = fft(frame);
    for (let k = 0; k < bins; k += 1) {
      data[t * bins + k] = Math.sqrt(real[k]! * real[k]! + imaginary[k]! * imaginary[k]!);
    }
  }
  return { data, frames, bins };
}

/** Index of a signal that goes on mirrored at its first and last sample, which are not repeated. */
function reflect(index: number, length: number): number {
  if (index < 0) return -index;
  return index < length ? index : 2 * (length - 1) - index;
}

function checkOptions(fftLength: number, hopLengthSamples: number, windowLengthSamples: number): void {
  const isPowerOfTwo = Number.isInteger(Math.log2(fftLength)) && fftLength >= 2;
  if (!isPowerOfTwo) {
    throw new InvalidInputError(`fftLength is a power of two of at least 2, but ${fftLength} came.`);
  }
  if (!Number.isInteger(hopLengthSamples) || hopLengthSamples < 1) {
    throw new InvalidInputError(
      `hopLengthSamples is an integer of at least 1, but ${hopLengthSamples} came.`,
    );
  }
  if (!Number.isInteger(windowLengthSamples) || windowLengthSamples < 1 || windowLengthSamples > fftLength) {
    throw new InvalidInputError(
      `windowLengthSamples is an integer from 1 to fftLength (${fftLength}), but ${windowLengthSamples} came.`,
    );
  }
}
