import { MPEGDecoder } from 'mpg123-decoder';
import { afterId3 } from '../sound-format';
import type { DecodedSound } from './decoded-sound';
import { chunksOf, SampleCollector } from './sample-collector';

/** Frames have at least 24 bytes and at most 1152 samples: a chunk is 0.8 M samples at most. */
const CHUNK_BYTES = 16_384;

/**
 * MP3 (and MPEG layers I and II) by mpg123, without the silence that encoders put before and after. A file that says how
 * many frames it has (a Xing, Info or LAME header) is refused when some are missing; others do not tell.
 * @throws InvalidInputError
 */
export async function decodeMp3(bytes: Uint8Array, maxDurationSeconds: number): Promise<DecodedSound> {
  const collector = new SampleCollector('MP3', maxDurationSeconds);
  const claimed = claimedSamples(bytes);
  const decoder = new MPEGDecoder();
  try {
    await decoder.ready;
    for (const chunk of chunksOf(bytes, CHUNK_BYTES)) {
      const part = decoder.decode(chunk);
      const isWhole = claimed !== null && collector.samples + part.samplesDecoded >= claimed;
      // Behind the sound anything may stand, which the decoder calls an error.
      collector.add(isWhole ? { ...part, errors: [] } : part);
      if (isWhole) break;
    }
  } finally {
    decoder.free();
  }
  const { channels, sampleRateHz } = collector.finish({ claimed });
  // mpg123 is built to give two channels always: those of a mono file are the same.
  const [left, right] = channels;
  const mono = left!.every((sample, i) => sample === right![i]);
  return { channels: mono ? [left!] : channels, sampleRateHz, bitsPerSample: null };
}

/** What the first frame says about the whole file; null when it says nothing. */
function claimedSamples(bytes: Uint8Array): number | null {
  const frame = bytes.subarray(afterId3(bytes));
  if (frame.length < 192) return null;
  const isMpeg1 = (frame[1]! & 0x08) !== 0;
  const isMono = frame[3]! >> 6 === 3;
  const isProtected = (frame[1]! & 1) === 0;
  const sideInfoBytes = isMpeg1 ? (isMono ? 17 : 32) : isMono ? 9 : 17;
  const begin = 4 + (isProtected ? 2 : 0) + sideInfoBytes;
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  const name = String.fromCharCode(...frame.subarray(begin, begin + 4));
  const flags = view.getUint32(begin + 4);
  if ((name !== 'Xing' && name !== 'Info') || (flags & 1) === 0) return null;
  const frameSamples = isMpeg1 ? 1152 : 576;
  const whole = view.getUint32(begin + 8) * frameSamples;
  const lame = begin + 8 + 4 + (flags & 2 ? 4 : 0) + (flags & 4 ? 100 : 0) + (flags & 8 ? 4 : 0);
  const isNamed = frame[lame]! >= 0x41 && lame + 24 <= frame.length; // "LAME3.100", "Lavc58"
  const gaps = isNamed ? view.getUint32(lame + 20) & 0xff_ffff : 0; // 12 bits before, 12 bits after
  // Some writers count the frame that says it.
  return gaps === 0 ? whole - frameSamples : whole - (gaps >> 12) - (gaps & 0xfff);
}
