import { type MelFilter, type MelFilterBankOptions, melFilterBank } from './mel';
import { magnitudeSpectrogram, type StftOptions } from './stft';

export interface LogMelConfig extends StftOptions, MelFilterBankOptions {
  /** Magnitudes below this are raised to it before the logarithm. */
  readonly floor: number;
}

/** Logarithm of a mel spectrogram, row-major [frames, melBins]. */
export interface LogMelSpectrogram {
  readonly data: Float32Array;
  readonly frames: number;
  readonly melBins: number;
}

/** The numbers of Tango's `TacotronSTFT`: 16 kHz, 100 frames a second, 64 bins up to 8 kHz. */
export const TANGO_LOG_MEL: LogMelConfig = {
  sampleRateHz: 16_000,
  fftLength: 1024,
  hopLengthSamples: 160,
  windowLengthSamples: 1024,
  melBins: 64,
  minFrequencyHz: 0,
  maxFrequencyHz: 8000,
  floor: 1e-5,
};

/**
 * Log-mel as Tango trains on it: magnitudes (not power) of the STFT, mel filters, log(max(x, 1e-5)); no mean or
 * deviation is taken out.
 *
 * The STFT of a sound of n · hop samples has n + 1 frames. The released code cuts the last one (1025 → 1024), because
 * the autoencoder needs a multiple of 4 or 8: so does `frames`. Asking for more frames than there are adds zeros, as
 * the released `_pad_spec` does (zeros, not the floor: pad the waveform instead to have silence).
 *
 * @param waveform [samples] at config.sampleRateHz, −1…1; see `prepareWaveform`
 * @param options.frames frames to return; default: floor(samples / hop), the last one cut
 * @throws InvalidInputError when the sound is not longer than half a transform
 */
export function logMelSpectrogram(
  waveform: Float32Array,
  config: LogMelConfig = TANGO_LOG_MEL,
  options: { readonly frames?: number } = {},
): LogMelSpectrogram {
  const magnitudes = magnitudeSpectrogram(waveform, config); // [frames, bins]
  const filters = melFilterBank(config);
  const { melBins } = config;
  const frames = options.frames ?? magnitudes.frames - 1;
  const data = new Float32Array(frames * melBins); // [frames, melBins]
  for (let t = 0; t < Math.min(frames, magnitudes.frames); t += 1) {
    filters.forEach(({ firstBin, weights }, m) => {
      const offset = t * magnitudes.bins + firstBin;
      let sum = 0;
      for (let k = 0; k < weights.length; k += 1) sum += weights[k]! * magnitudes.data[offset + k]!;
      data[t * melBins + m] = Math.log(Math.max(sum, config.floor));
    });
  }
  return { data, frames, melBins };
}

/** Power below this is raised to it: −100 dB. */
const POWER_FLOOR = 1e-10;

/**
 * Log-mel as librosa's `power_to_db` makes it, without an upper bound on the range: 10 log10(max(x, 1e-10)) of the power
 * spectrum through mel filters. CLAP and PANNs hear sounds so.
 *
 * @param waveform [samples] at config.sampleRateHz
 * @param filters of the config, when they have been made before
 * @returns floor(samples / hop) + 1 frames, in dB
 * @throws InvalidInputError when the sound is not longer than half a transform
 */
export function melDecibels(
  waveform: Float32Array,
  config: StftOptions & MelFilterBankOptions,
  filters: readonly MelFilter[] = melFilterBank(config),
): LogMelSpectrogram {
  const { data: magnitudes, frames, bins } = magnitudeSpectrogram(waveform, config); // [frames, bins]
  const { melBins } = config;
  const data = new Float32Array(frames * melBins); // [frames, melBins]
  for (let t = 0; t < frames; t += 1) {
    filters.forEach(({ firstBin, weights }, m) => {
      const offset = t * bins + firstBin;
      let sum = 0;
      for (let k = 0; k < weights.length; k += 1) sum += weights[k]! * magnitudes[offset + k]! ** 2;
      data[t * melBins + m] = 10 * Math.log10(Math.max(sum, POWER_FLOOR));
    });
  }
  return { data, frames, melBins };
}
