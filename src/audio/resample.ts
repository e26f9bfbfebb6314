import { checkSampleRate } from './checks';

/** Zero crossings of the sinc on each side. */
const LOWPASS_WIDTH = 6;
/** The cut-off, as a fraction of the lower Nyquist frequency. */
const ROLLOFF = 0.99;

/** For each output phase the taps inside the window: `count` of them, the first one `first` samples from the input. */
interface PolyphaseKernel {
  readonly first: Int32Array;
  readonly taps: Float64Array;
  readonly count: number;
}

/**
 * Band-limited resampling equal to `torchaudio.functional.resample` with its defaults (sinc with a Hann window,
 * lowpass_filter_width 6, rolloff 0.99). torchaudio builds its kernel in float32, this one in float64: they differ by
 * about 1e-6 of the signal.
 *
 * With rates reduced to their lowest terms, output sample n · to + i is the sum over k of kernel_i[k] · x[n · from + k].
 * torchaudio stores kernels over all from + 2 · width positions, nearly all zero for odd ratios; only the taps inside
 * the window are kept here, so 44,100 → 16,000 costs about 34 products a sample and any ratio fits in memory.
 *
 * @param waveform [samples] at `fromHz`
 * @returns [ceil(samples · toHz / fromHz)] at `toHz`; a copy when the rates are equal
 * @throws InvalidInputError unless both rates are whole numbers of Hz from 1 to 768,000
 */
export function resample(waveform: Float32Array, fromHz: number, toHz: number): Float32Array {
  checkSampleRate(fromHz, 'The rate to resample from');
  checkSampleRate(toHz, 'The rate to resample to');
  if (fromHz === toHz) return waveform.slice();
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const from = fromHz / divisor;
  const to = toHz / divisor;
  const { first, taps, count } = polyphaseKernel(from, to);
  // torchaudio rounds the quotient to float32 before it takes the ceiling; the length has to be the same.
  const out = new Float32Array(Math.ceil(Math.fround((to * waveform.length) / from)));
  for (let n = 0; n < out.length; n += 1) {
    const phase = n % to;
    const start = ((n - phase) / to) * from + first[phase]!;
    const offset = phase * count;
    const begin = Math.max(0, -start);
    const end = Math.min(count, waveform.length - start);
    let sum = 0;
    for (let k = begin; k < end; k += 1) sum += taps[offset + k]! * waveform[start + k]!;
    out[n] = sum;
  }
  return out;
}

function polyphaseKernel(from: number, to: number): PolyphaseKernel {
  const cutoff = Math.min(from, to) * ROLLOFF;
  const reach = (LOWPASS_WIDTH * from) / cutoff;
  const count = Math.floor(2 * reach) + 1;
  const first = new Int32Array(to);
  const taps = new Float64Array(to * count); // [to, count]
  for (let phase = 0; phase < to; phase += 1) {
    const centre = (phase * from) / to;
    first[phase] = Math.ceil(centre - reach);
    for (let k = 0; k < count; k += 1) {
      const t = (first[phase]! + k - centre) * (cutoff / from);
      if (Math.abs(t) >= LOWPASS_WIDTH) continue;
      const window = Math.cos((t * Math.PI) / LOWPASS_WIDTH / 2) ** 2;
      const sinc = t === 0 ? 1 : Math.sin(t * Math.PI) / (t * Math.PI);
      taps[phase * count + k] = sinc * window * (cutoff / from);
    }
  }
  return { first, taps, count };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
