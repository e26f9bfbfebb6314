import type { DecodedWav } from '../wav/decode-wav';

export interface DecodedSound extends DecodedWav {
  /** Of the whole numbers that the file holds; null where it holds none (MP3, Vorbis, Opus), or is WAV. */
  readonly bitsPerSample: number | null;
}
