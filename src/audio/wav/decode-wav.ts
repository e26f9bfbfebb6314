import { InvalidInputError } from '../../common/errors';
import { describeStart } from '../sound-format';
import { parseFmtChunk, type WavFormat } from './format';

export interface DecodedWav {
  /** One array of samples for each channel, −1…1 (float files may go beyond). */
  readonly channels: readonly Float32Array<ArrayBuffer>[];
  readonly sampleRateHz: number;
}

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
/** Writers of streams, which cannot go back and fill in lengths, put this as the file's and the data's length. */
const UNKNOWN_LENGTH = 0xffff_ffff;

/**
 * Reads a WAV file: PCM of 8, 16, 24, 32 bits, float of 32, 64 bits, plain or extensible, any number of channels.
 * Integers are divided by 2^(bits−1). Memory is taken for the bytes that are there, never for a length that a header
 * claims. (`decodeSound` reads other formats too.)
 *
 * @param options.maxDurationSeconds longer sounds are refused before memory is taken for them; default: an hour
 * @throws InvalidInputError when the bytes are not such a file, are cut off, hold no sample, or too many
 */
export function decodeWav(
  bytes: Uint8Array,
  { maxDurationSeconds = 3600 }: { readonly maxDurationSeconds?: number } = {},
): DecodedWav {
  const { format, data } = findChunks(bytes);
  const samples = Math.floor(data.byteLength / format.blockBytes);
  if (samples === 0) {
    throw new InvalidInputError(
      'A WAV file holds at least one sample, but this one has none. Export it again.',
    );
  }
  const durationSeconds = samples / format.sampleRateHz;
  if (durationSeconds > maxDurationSeconds) {
    throw new InvalidInputError(
      `Sounds of up to ${maxDurationSeconds} s are read, but this WAV file is ${Math.round(durationSeconds)} s long. Cut out the part you need.`,
    );
  }
  const read = sampleReader(data, format);
  const sampleBytes = format.bitsPerSample / 8;
  const channels = Array.from({ length: format.channelCount }, (_, channel) => {
    const out = new Float32Array(samples);
    let offset = channel * sampleBytes;
    for (let i = 0; i < samples; i += 1, offset += format.blockBytes) out[i] = read(offset);
    return out;
  });
  return { channels, sampleRateHz: format.sampleRateHz };
}

function findChunks(bytes: Uint8Array): { format: WavFormat; data: DataView } {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < RIFF_HEADER_BYTES || ascii(bytes, 0) !== 'RIFF' || ascii(bytes, 8) !== 'WAVE') {
    throw new InvalidInputError(
      `A WAV file begins with "RIFF" and "WAVE", but ${describeStart(bytes)} came. Choose a WAV file, or convert this one.`,
    );
  }
  let format: WavFormat | undefined;
  let offset = RIFF_HEADER_BYTES;
  while (offset + CHUNK_HEADER_BYTES <= bytes.length) {
    const id = ascii(bytes, offset);
    const claimed = file.getUint32(offset + 4, true);
    const begin = offset + CHUNK_HEADER_BYTES;
    const available = bytes.length - begin;
    if (id === 'data') {
      if (format === undefined) {
        throw new InvalidInputError(
          'A WAV file says its format before its data, but the data came first. The file is damaged: export it again.',
        );
      }
      const isStream = claimed === UNKNOWN_LENGTH && file.getUint32(4, true) === UNKNOWN_LENGTH;
      if (claimed > available && !isStream) {
        throw new InvalidInputError(
          `The data of this WAV file claims ${claimed} bytes, but ${available} are there. The file is cut off or its header is damaged: get it again.`,
        );
      }
      const data = new DataView(file.buffer, file.byteOffset + begin, Math.min(claimed, available));
      return { format, data };
    }
    if (claimed > available) {
      throw new InvalidInputError(
        `The chunk "${id}" of this WAV file claims ${claimed} bytes, but ${available} are left. The file is cut off or damaged: get it again.`,
      );
    }
    if (id === 'fmt ') format = parseFmtChunk(new DataView(file.buffer, file.byteOffset + begin, claimed));
    offset = begin + claimed + (claimed % 2); // chunks begin on even bytes
  }
  throw new InvalidInputError(
    `A WAV file has a format and a data chunk, but this one ends without its ${format ? 'data' : 'format'}. The file is cut off or damaged: get it again.`,
  );
}

/** Reads the sample that begins at a byte of the data, as a number of −1…1. */
function sampleReader(data: DataView, { encoding, bitsPerSample }: WavFormat): (offset: number) => number {
  if (encoding === 'float') {
    return bitsPerSample === 32
      ? (offset) => data.getFloat32(offset, true)
      : (offset) => data.getFloat64(offset, true);
  }
  switch (bitsPerSample) {
    case 8: // unsigned, 128 is silence
      return (offset) => (data.getUint8(offset) - 128) / 128;
    case 16:
      return (offset) => data.getInt16(offset, true) / 32_768;
    case 24:
      return (offset) => (data.getUint16(offset, true) + data.getInt8(offset + 2) * 65_536) / 8_388_608;
    default:
      return (offset) => data.getInt32(offset, true) / 2_147_483_648;
  }
}

function ascii(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}
