import { FLACDecoder } from '@wasm-audio-decoders/flac';
import { InvalidInputError } from '../../common/errors';
import { afterId3 } from '../sound-format';
import type { DecodedSound } from './decoded-sound';
import { chunksOf, SampleCollector } from './sample-collector';

/** A frame of silence has 65,535 samples in a dozen bytes: 8 KiB are 43 M samples at most. */
const CHUNK_BYTES = 8192;
const STREAM_INFO_BYTES = 34;
/** The decoder hands over float32, which holds whole numbers of 24 bits and no more. */
const MAX_BITS = 24;

/** FLAC by libFLAC: exactly the whole numbers of the file, divided by 2^(bits−1). @throws InvalidInputError */
export async function decodeFlac(bytes: Uint8Array, maxDurationSeconds: number): Promise<DecodedSound> {
  const stream = bytes.subarray(afterId3(bytes));
  const { sampleRateHz, bitsPerSample, samples } = readStreamInfo(stream);
  const collector = new SampleCollector('FLAC', maxDurationSeconds);
  if (sampleRateHz > 0) collector.checkDuration(samples ?? 0, sampleRateHz);
  const decoder = new FLACDecoder();
  try {
    await decoder.ready;
    for (const chunk of chunksOf(stream, CHUNK_BYTES)) collector.add(await decoder.decode(chunk));
    collector.add(await decoder.flush());
  } finally {
    decoder.free();
  }
  const { channels, sampleRateHz: rate } = collector.finish({ claimed: samples });
  // The decoder divides by 2^(bits−1) − 1: half a step too much at full scale.
  const theirs = 2 ** (bitsPerSample - 1) - 1;
  const ours = 2 ** (bitsPerSample - 1);
  for (const channel of channels) {
    for (let i = 0; i < channel.length; i += 1) channel[i] = Math.round(channel[i]! * theirs) / ours;
  }
  return { channels, sampleRateHz: rate, bitsPerSample };
}

/** The block that every FLAC file begins with (RFC 9639, section 8.2); `samples` is null where it says "unknown". */
function readStreamInfo(bytes: Uint8Array): {
  sampleRateHz: number;
  bitsPerSample: number;
  samples: number | null;
} {
  const begin = 8; // "fLaC", then the block's kind and length
  if (bytes.length < begin + STREAM_INFO_BYTES || (bytes[4]! & 0x7f) !== 0) {
    throw new InvalidInputError(
      `A FLAC file begins with a description of ${STREAM_INFO_BYTES} bytes, but this one has none (${bytes.length} bytes came). It is cut off or damaged: get it again.`,
    );
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset + begin, STREAM_INFO_BYTES);
  const packed = view.getUint32(10); // 20 bits rate, 3 bits channels − 1, 5 bits bits − 1, 4 bits of the length
  const bitsPerSample = ((packed >>> 4) & 31) + 1;
  if (bitsPerSample > MAX_BITS) {
    throw new InvalidInputError(
      `FLAC is read with up to ${MAX_BITS} bits a sample, but this file has ${bitsPerSample}. Export it with ${MAX_BITS}.`,
    );
  }
  const samples = (packed & 15) * 2 ** 32 + view.getUint32(14);
  return { sampleRateHz: packed >>> 12, bitsPerSample, samples: samples === 0 ? null : samples };
}
