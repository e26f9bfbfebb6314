import { InvalidInputError } from '../common/errors';
import type { LogMelSpectrogram } from './log-mel';

/** Brightness 0…1, row-major [frames, melBins]; bin 0 is the lowest frequency. */
export interface SpectrogramImage {
  readonly data: Float32Array;
  readonly frames: number;
  readonly melBins: number;
  /** Level that is drawn as 1, in dB of magnitude. */
  readonly ceilingDb: number;
}

/** 20 · log10(e): decibels in one unit of the natural logarithm of a magnitude. */
const DB_PER_NEPER = 20 / Math.LN10;

/**
 * A log-mel spectrogram as brightness: 0 at `rangeDb` below the ceiling and under it, 1 at the ceiling and above,
 * linear in decibels between.
 *
 * @param options.rangeDb decibels between black and white; default 80
 * @param options.ceilingDb level of white; default: the loudest value of this spectrogram. Give one to compare takes.
 * @throws InvalidInputError unless the range is above 0
 */
export function spectrogramImage(
  mel: LogMelSpectrogram,
  options: { readonly rangeDb?: number; readonly ceilingDb?: number } = {},
): SpectrogramImage {
  const { rangeDb = 80 } = options;
  if (!(rangeDb > 0)) {
    throw new InvalidInputError(`The range of a spectrogram image is above 0 dB, but ${rangeDb} came.`);
  }
  const loudest = mel.data.reduce((largest, x) => Math.max(largest, x), Number.NEGATIVE_INFINITY);
  const ceilingDb = options.ceilingDb ?? (Number.isFinite(loudest) ? loudest * DB_PER_NEPER : 0);
  const data = mel.data.map((x) => {
    const brightness = (x * DB_PER_NEPER - ceilingDb) / rangeDb + 1;
    return brightness > 0 ? Math.min(1, brightness) : 0; // NaN is black
  });
  return { data, frames: mel.frames, melBins: mel.melBins, ceilingDb };
}
