import { checkFinite } from './checks';

/** Peak that Tango's recordings are scaled to. */
const PEAK = 0.5;
/** Keeps the first scaling finite for a silent file (the released value). */
const EPSILON = 1e-8;

/**
 * Tango's preparation of a recording: mean removed, peak scaled to 0.5, zeros added or the end cut, peak scaled to 0.5
 * again (the cut may have removed the loudest sample).
 *
 * A silent file becomes NaN in the released code and then zeros (`nan_to_num`): here it is zeros at once.
 *
 * @param waveform [samples], one channel; Tango takes the left one of a stereo file, and resamples to 16 kHz first
 * @param lengthSamples length of the result; default: that of the waveform
 * @throws InvalidInputError when a sample is NaN or infinite
 */
export function prepareWaveform(waveform: Float32Array, lengthSamples = waveform.length): Float32Array {
  checkFinite(waveform, 'A waveform');
  const mean = waveform.reduce((sum, x) => sum + x, 0) / Math.max(1, waveform.length);
  const centred = waveform.map((x) => x - mean);
  const firstPeak = peakOf(centred) + EPSILON;
  const out = new Float32Array(lengthSamples); // [lengthSamples]
  out.set(centred.subarray(0, lengthSamples).map((x) => (x / firstPeak) * PEAK));
  return scaleToPeak(out, PEAK);
}

/** The same sound with its largest absolute sample at `peak`; silence stays silence. */
export function scaleToPeak(waveform: Float32Array, peak: number): Float32Array {
  const largest = peakOf(waveform);
  return largest > 0 ? waveform.map((x) => (x / largest) * peak) : waveform.slice();
}

/** Largest absolute sample; 0 for no samples. */
export function peakOf(waveform: Float32Array): number {
  return waveform.reduce((largest, x) => Math.max(largest, Math.abs(x)), 0);
}
