import { InvalidInputError } from '../common/errors';

export interface MelFilterBankOptions {
  readonly sampleRateHz: number;
  readonly fftLength: number;
  readonly melBins: number;
  readonly minFrequencyHz: number;
  readonly maxFrequencyHz: number;
}

/** One triangle: weights for the bins firstBin … firstBin + weights.length − 1; all others are zero. */
export interface MelFilter {
  readonly firstBin: number;
  readonly weights: Float32Array;
}

/** Slaney's scale is linear (200/3 Hz a mel) up to here, logarithmic above. */
const LINEAR_HZ_PER_MEL = 200 / 3;
const BREAK_HZ = 1000;
const BREAK_MEL = BREAK_HZ / LINEAR_HZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

/** Frequency on Slaney's mel scale (Auditory Toolbox), librosa's default. */
export function hzToMel(frequencyHz: number): number {
  return frequencyHz < BREAK_HZ
    ? frequencyHz / LINEAR_HZ_PER_MEL
    : BREAK_MEL + Math.log(frequencyHz / BREAK_HZ) / LOG_STEP;
}

/** Inverse of `hzToMel`, in Hz. */
export function melToHz(mel: number): number {
  return mel < BREAK_MEL ? mel * LINEAR_HZ_PER_MEL : BREAK_HZ * Math.exp(LOG_STEP * (mel - BREAK_MEL));
}

/**
 * Triangles between neighbouring points of the mel scale, each scaled to unit area (`librosa.filters.mel` with its
 * defaults: Slaney scale, Slaney norm).
 *
 * @returns one filter for each mel bin, lowest first; a filter narrower than a bin may be empty
 * @throws InvalidInputError unless 0 ≤ minimum < maximum ≤ half the sample rate
 */
export function melFilterBank(options: MelFilterBankOptions): MelFilter[] {
  const { sampleRateHz, fftLength, melBins, minFrequencyHz, maxFrequencyHz } = options;
  if (!(minFrequencyHz >= 0 && minFrequencyHz < maxFrequencyHz && maxFrequencyHz <= sampleRateHz / 2)) {
    throw new InvalidInputError(
      `Mel bins lie between 0 Hz and half the sample rate (${sampleRateHz / 2} Hz), but ${minFrequencyHz}–${maxFrequencyHz} Hz came.`,
    );
  }
  const lowest = hzToMel(minFrequencyHz);
  const step = (hzToMel(maxFrequencyHz) - lowest) / (melBins + 1);
  const edge = (i: number): number => melToHz(lowest + i * step);
  const bins = fftLength / 2 + 1;
  return Array.from({ length: melBins }, (_, m) => {
    const [left, centre, right] = [edge(m), edge(m + 1), edge(m + 2)];
    const all = new Float32Array(bins);
    for (let k = 0; k < bins; k += 1) {
      const frequencyHz = (k * sampleRateHz) / fftLength;
      const rising = (frequencyHz - left) / (centre - left);
      const falling = (right - frequencyHz) / (right - centre);
      all[k] = Math.max(0, Math.min(rising, falling)) * (2 / (right - left));
    }
    const firstBin = all.findIndex((weight) => weight > 0);
    if (firstBin < 0) return { firstBin: 0, weights: new Float32Array(0) };
    return { firstBin, weights: all.slice(firstBin, all.findLastIndex((weight) => weight > 0) + 1) };
  });
}
