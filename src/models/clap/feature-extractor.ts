import {
  type LogMelSpectrogram,
  type MelFilter,
  type MelFilterBankOptions,
  melDecibels,
  melFilterBank,
  resample,
  type StftOptions,
} from '../../audio';
import { InvalidInputError } from '../../common/errors';
import { ConfigReader } from '../config-reader';

/** transformers' ClapFeatureExtractor without feature fusion (`rand_trunc`), from its preprocessor_config.json. */
export interface ClapFeatureExtractorConfig extends StftOptions, MelFilterBankOptions {
  readonly maxLengthSamples: number;
  readonly padding: 'repeatpad' | 'repeat' | 'pad';
}

/** LAION's scale of 16-bit samples, both ways. */
const INT16 = 32767;

/** @throws InvalidConfigError naming the field */
export function parseClapFeatureExtractorConfig(json: unknown): ClapFeatureExtractorConfig {
  const reader = new ConfigReader(json, 'CLAP’s feature extractor (preprocessor_config.json)');
  reader.only('feature_extractor_type', 'ClapFeatureExtractor');
  reader.only('truncation', 'rand_trunc');
  reader.only('top_db', null);
  const sampleRateHz = reader.integer('sampling_rate', 48_000, 1, 384_000);
  const fftLength = reader.integer('fft_window_size', 1024, 2, 65_536);
  if (!Number.isInteger(Math.log2(fftLength))) reader.refuse('fft_window_size', 'a power of two');
  return {
    sampleRateHz,
    fftLength,
    hopLengthSamples: reader.integer('hop_length', 480),
    melBins: reader.integer('feature_size', 64, 1, 1024),
    minFrequencyHz: reader.number('frequency_min', 0),
    maxFrequencyHz: reader.number('frequency_max', 14_000),
    maxLengthSamples: reader.integer('max_length_s', 10, 1, 60) * sampleRateHz,
    padding: reader.oneOf('padding', ['repeatpad', 'repeat', 'pad'], 'repeatpad'),
  };
}

/**
 * What CLAP hears of a sound: resampled, rounded to 16 bits, brought to the model's length, and its log-mel in dB
 * (power spectrum, Slaney mel filters of unit area, 10 log10(max(x, 1e-10)), no mean taken out).
 *
 * LAION's `get_audio_embedding` with `rand_trunc` and `repeatpad`. Three things are decided here that upstream leaves
 * open: the resampler is torchaudio's (LAION's loader uses librosa's; on 16 kHz files that matters), the crop's place
 * comes from a seed (upstream: numpy's global state), and transformers' extractor does not round to 16 bits.
 */
export class ClapFeatureExtractor {
  readonly #filters: readonly MelFilter[];

  constructor(readonly config: ClapFeatureExtractorConfig) {
    this.#filters = melFilterBank(config);
  }

  /**
   * @param waveform [samples], mono, −1…1 (more is clipped)
   * @param place 0…1: where a sound that is longer than the model's length is cut out, 0 at its begin
   * @throws InvalidInputError for no samples, or samples that are no numbers
   */
  extract(waveform: Float32Array, sampleRateHz: number, place = 0): LogMelSpectrogram {
    if (waveform.length === 0) throw new InvalidInputError('CLAP needs a sound, but one of no samples came.');
    if (!waveform.every(Number.isFinite)) {
      throw new InvalidInputError('CLAP needs a sound of finite samples, but one holds NaN or infinity.');
    }
    const { sampleRateHz: rate, maxLengthSamples } = this.config;
    const heard = sampleRateHz === rate ? waveform : resample(waveform, sampleRateHz, rate);
    return melDecibels(this.#fit(quantise(heard), place, maxLengthSamples), this.config, this.#filters);
  }

  #fit(waveform: Float32Array, place: number, length: number): Float32Array {
    if (waveform.length === length) return waveform;
    if (waveform.length > length) {
      const start = Math.min(waveform.length - length, Math.floor(place * (waveform.length - length + 1)));
      return waveform.subarray(start, start + length);
    }
    const out = new Float32Array(length);
    const { padding } = this.config;
    const whole = Math.floor(length / waveform.length);
    const count = padding === 'pad' ? 1 : padding === 'repeat' ? whole + 1 : whole;
    for (let i = 0; i < count; i += 1) {
      const start = i * waveform.length;
      out.set(waveform.subarray(0, length - start), start);
    }
    return out;
  }
}

/** To 16 bits (towards zero) and back. */
function quantise(waveform: Float32Array): Float32Array {
  return waveform.map((x) => Math.trunc(Math.fround(Math.min(1, Math.max(-1, x)) * INT16)) / INT16);
}
