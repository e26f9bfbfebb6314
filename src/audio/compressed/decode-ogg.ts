import { OggVorbisDecoder } from '@wasm-audio-decoders/ogg-vorbis';
import { OpusDecoder } from 'opus-decoder';
import { InvalidInputError } from '../../common/errors';
import type { DecodedSound } from './decoded-sound';
import { lastGranuleOf, type OggPage, oggCodecOf, readOggPages } from './ogg-pages';
import { SampleCollector } from './sample-collector';

/** Opus counts its positions at this rate, whatever it is decoded at. */
const OPUS_CLOCK_HZ = 48_000;
const OPUS_RATES_HZ = [8000, 12_000, 16_000, 24_000, OPUS_CLOCK_HZ] as const;
const OPUS_HEAD_BYTES = 19;

/** Ogg with Vorbis or Opus in it. A page has at most 255 packets, so each is decoded in one go. @throws InvalidInputError */
export async function decodeOgg(bytes: Uint8Array, maxDurationSeconds: number): Promise<DecodedSound> {
  const pages = readOggPages(bytes);
  const codec = oggCodecOf(pages);
  if (codec === null) {
    throw new InvalidInputError(
      'Ogg files are read with Vorbis or Opus in them, but this one holds something else. Convert it to one of these, or to FLAC.',
    );
  }
  return codec === 'vorbis' ? decodeVorbis(pages, maxDurationSeconds) : decodeOpus(pages, maxDurationSeconds);
}

async function decodeVorbis(pages: readonly OggPage[], maxDurationSeconds: number): Promise<DecodedSound> {
  const collector = new SampleCollector('Vorbis', maxDurationSeconds);
  const decoder = new OggVorbisDecoder();
  try {
    await decoder.ready;
    for (const page of pages) collector.add(await decoder.decode(page.bytes));
    collector.add(await decoder.flush());
  } finally {
    decoder.free();
  }
  return { ...collector.finish({ end: lastGranuleOf(pages) }), bitsPerSample: null };
}

/** At the rate that the sound had before it was encoded, as far as Opus has it (RFC 7845, section 5.1). */
async function decodeOpus(pages: readonly OggPage[], maxDurationSeconds: number): Promise<DecodedSound> {
  const { inputRateHz, preSkip, gain, ...channels } = readOpusHead(pages[0]!.packets[0]!);
  const sampleRate = OPUS_RATES_HZ.find((rate) => inputRateHz > 0 && rate >= inputRateHz) ?? OPUS_CLOCK_HZ;
  const collector = new SampleCollector('Opus', maxDurationSeconds);
  const decoder = new OpusDecoder({ sampleRate, ...channels });
  let headers = 2; // the head and the comments
  try {
    await decoder.ready;
    for (const { packets } of pages) {
      const skipped = Math.min(headers, packets.length);
      headers -= skipped;
      if (packets.length > skipped) collector.add(decoder.decodeFrames(packets.slice(skipped)));
    }
  } finally {
    decoder.free();
  }
  const atRate = (position: number): number => Math.round((position * sampleRate) / OPUS_CLOCK_HZ);
  const sound = collector.finish({ begin: atRate(preSkip), end: atRate(lastGranuleOf(pages)) });
  if (gain !== 1) {
    for (const channel of sound.channels) {
      for (let i = 0; i < channel.length; i += 1) channel[i] = channel[i]! * gain;
    }
  }
  return { ...sound, bitsPerSample: null };
}

function readOpusHead(head: Uint8Array) {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const channels = head[9] ?? 0;
  const family = head[18] ?? 0;
  const mapped =
    family === 1 && channels >= 1 && channels <= 8 && head.length >= OPUS_HEAD_BYTES + 2 + channels;
  if (head.length < OPUS_HEAD_BYTES || !(mapped || (family === 0 && (channels === 1 || channels === 2)))) {
    throw new InvalidInputError(
      `Opus is read with 1 to 8 channels of one sound, but the head of this file says ${channels} channels of family ${family}. Export it as mono or stereo.`,
    );
  }
  return {
    channels,
    preSkip: view.getUint16(10, true),
    inputRateHz: view.getUint32(12, true),
    /** The file's 1/256 dB as a factor. */
    gain: 10 ** (view.getInt16(16, true) / 256 / 20),
    ...(mapped && {
      streamCount: head[19]!,
      coupledStreamCount: head[20]!,
      channelMappingTable: [...head.subarray(21, 21 + channels)],
    }),
  };
}
