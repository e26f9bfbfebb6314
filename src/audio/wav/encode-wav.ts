import { InvalidInputError } from '../../common/errors';
import { checkFinite, checkSampleRate } from '../checks';
import { WAVE_FORMAT } from './format';
import { type WavInfo, wavInfoChunk } from './wav-info';

export type WavSampleFormat = 'pcm16' | 'pcm24' | 'float32';

const BYTES_PER_SAMPLE: Record<WavSampleFormat, number> = { pcm16: 2, pcm24: 3, float32: 4 };
/** RIFF's and fmt's; the texts follow, then the data behind a header of its own. */
const FORMAT_END_BYTES = 36;
const DATA_HEADER_BYTES = 8;
/** A RIFF length is 32 bits. */
const MAX_FILE_BYTES = 2 ** 32 - 1;

/**
 * A WAV file (RIFF, little endian) of one or more channels.
 *
 * Integers are round(x · 2^(bits−1)), clipped to the format's range: full scale stays full scale, where the released
 * Tango code truncates and wraps (1.0 becomes −32,768). `float32` keeps every bit, also above full scale.
 *
 * A header of 44 bytes and one loop are all that is needed; the npm encoders looked at leave out the padding byte of
 * odd 24-bit files, wrap, or bring a whole media container library with them.
 *
 * @param channels one array of samples for each channel, −1…1, all of one length
 * @param info texts about the sound
 * @throws InvalidInputError for no channels, unequal lengths, a NaN, a bad rate, or more than 4 GiB
 */
export function encodeWav(
  channels: readonly Float32Array[],
  sampleRateHz: number,
  format: WavSampleFormat = 'pcm16',
  info: WavInfo = {},
): Uint8Array<ArrayBuffer> {
  checkSampleRate(sampleRateHz, "A WAV file's sample rate");
  const samples = channels[0]?.length ?? 0;
  if (channels.length < 1 || channels.length > 65_535 || channels.some(({ length }) => length !== samples)) {
    throw new InvalidInputError(
      `A WAV file has 1 to 65,535 channels of one length, but ${channels.length} channels with the lengths [${channels.slice(0, 8).map(({ length }) => length)}] came. Pass one Float32Array for each channel.`,
    );
  }
  for (const channel of channels) checkFinite(channel, "A WAV file's samples");
  const blockBytes = BYTES_PER_SAMPLE[format] * channels.length;
  const dataBytes = blockBytes * samples;
  const texts = wavInfoChunk(info);
  const dataStart = FORMAT_END_BYTES + texts.length + DATA_HEADER_BYTES;
  const fileBytes = dataStart + dataBytes + (dataBytes % 2);
  if (fileBytes > MAX_FILE_BYTES) {
    throw new InvalidInputError(
      `A WAV file holds at most 4 GiB, but this sound needs ${fileBytes} bytes. Split it, or use fewer bits.`,
    );
  }
  const file = new Uint8Array(fileBytes);
  const view = new DataView(file.buffer);
  writeFormat(view, { format, channelCount: channels.length, sampleRateHz, blockBytes });
  file.set(texts, FORMAT_END_BYTES);
  writeAscii(view, dataStart - DATA_HEADER_BYTES, 'data');
  view.setUint32(dataStart - 4, dataBytes, true);
  writeSamples(view, dataStart, channels, format);
  return file;
}

function writeFormat(
  view: DataView,
  header: {
    format: WavSampleFormat;
    channelCount: number;
    sampleRateHz: number;
    blockBytes: number;
  },
): void {
  writeAscii(view, 0, 'RIFF');
  view.setUint32(4, view.byteLength - 8, true);
  writeAscii(view, 8, 'WAVEfmt ');
  view.setUint32(16, 16, true);
  view.setUint16(20, header.format === 'float32' ? WAVE_FORMAT.ieeeFloat : WAVE_FORMAT.pcm, true);
  view.setUint16(22, header.channelCount, true);
  view.setUint32(24, header.sampleRateHz, true);
  view.setUint32(28, header.sampleRateHz * header.blockBytes, true);
  view.setUint16(32, header.blockBytes, true);
  view.setUint16(34, BYTES_PER_SAMPLE[header.format] * 8, true);
}

function writeSamples(
  view: DataView,
  dataStart: number,
  channels: readonly Float32Array[],
  format: WavSampleFormat,
): void {
  let offset = dataStart;
  const samples = channels[0]!.length;
  for (let i = 0; i < samples; i += 1) {
    for (const channel of channels) {
      const x = channel[i]!;
      if (format === 'float32') {
        view.setFloat32(offset, x, true);
      } else if (format === 'pcm16') {
        view.setInt16(offset, quantize(x, 32_768), true);
      } else {
        const integer = quantize(x, 8_388_608);
        view.setUint16(offset, integer & 0xffff, true);
        view.setInt8(offset + 2, integer >> 16);
      }
      offset += BYTES_PER_SAMPLE[format];
    }
  }
}

/** round(x · scale), clipped to −scale … scale − 1. */
function quantize(x: number, scale: number): number {
  return Math.max(-scale, Math.min(scale - 1, Math.round(x * scale)));
}

function writeAscii(view: DataView, offset: number, text: string): void {
  for (let i = 0; i < text.length; i += 1) view.setUint8(offset + i, text.charCodeAt(i));
}
