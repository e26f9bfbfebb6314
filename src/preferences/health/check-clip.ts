import { peakOf } from '../../audio';
import type { ClipCheck } from '../types';

/** 16-bit full scale and what a 16-bit file makes of it. */
const FULL_SCALE = 32767 / 32768;

/** What the samples tell of themselves. */
export function checkClip(audio: Float32Array, sampleRateHz: number): ClipCheck {
  let [squares, clipped] = [0, 0];
  let [low, high] = [0x811c9dc5, 0x9e3779b9];
  for (const sample of audio) {
    squares += sample * sample;
    if (Math.abs(sample) >= FULL_SCALE) clipped += 1;
    // As 16-bit files hold it, so that a sound and its file have one hash.
    const value = Math.round(sample * 32768) & 0xffff;
    low = Math.imul(low ^ value, 0x01000193);
    high = Math.imul(high + value, 0x85ebca6b) ^ (high >>> 15);
  }
  return {
    durationSeconds: audio.length / sampleRateHz,
    peak: peakOf(audio),
    rms: audio.length > 0 ? Math.sqrt(squares / audio.length) : 0,
    clippedShare: audio.length > 0 ? clipped / audio.length : 0,
    contentHash: `${(low >>> 0).toString(36)}${(high >>> 0).toString(36)}${audio.length.toString(36)}`,
  };
}
