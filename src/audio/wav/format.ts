import { InvalidInputError } from '../../common/errors';
import { checkSampleRate } from '../checks';

/** Format tags of a WAV file's `fmt ` chunk. */
export const WAVE_FORMAT = { pcm: 1, ieeeFloat: 3, extensible: 0xfffe } as const;

/** What a `fmt ` chunk says. */
export interface WavFormat {
  readonly encoding: 'pcm' | 'float';
  readonly bitsPerSample: 8 | 16 | 24 | 32 | 64;
  readonly channelCount: number;
  readonly sampleRateHz: number;
  readonly blockBytes: number;
}

const FMT_BYTES = 16;
const EXTENSIBLE_BYTES = 40;
const MAX_CHANNELS = 64;

/**
 * @param fmt body of the `fmt ` chunk
 * @throws InvalidInputError when the encoding is not PCM of 8, 16, 24, 32 bits or float of 32, 64 bits, or when the
 * numbers contradict each other
 */
export function parseFmtChunk(fmt: DataView): WavFormat {
  if (fmt.byteLength < FMT_BYTES) {
    throw new InvalidInputError(
      `The format chunk of a WAV file has at least ${FMT_BYTES} bytes, but this one has ${fmt.byteLength}. The file is damaged: export it again.`,
    );
  }
  const encoding = readEncoding(fmt);
  const channelCount = fmt.getUint16(2, true);
  const sampleRateHz = fmt.getUint32(4, true);
  const blockBytes = fmt.getUint16(12, true);
  const bitsPerSample = fmt.getUint16(14, true);
  if (channelCount < 1 || channelCount > MAX_CHANNELS) {
    throw new InvalidInputError(
      `A WAV file has 1 to ${MAX_CHANNELS} channels, but this header says ${channelCount}. The file is damaged: export it again.`,
    );
  }
  checkSampleRate(sampleRateHz, "A WAV file's sample rate");
  if (!isSupported(encoding, bitsPerSample)) {
    throw new InvalidInputError(
      `WAV files are read as PCM of 8, 16, 24 or 32 bits or float of 32 or 64 bits, but this one is ${encoding} of ${bitsPerSample} bits. Convert it to 16-bit PCM.`,
    );
  }
  if (blockBytes !== channelCount * (bitsPerSample / 8)) {
    throw new InvalidInputError(
      `${channelCount} channels of ${bitsPerSample} bits make ${channelCount * (bitsPerSample / 8)} bytes a sample, but this WAV header says ${blockBytes}. The file is damaged: export it again.`,
    );
  }
  return { encoding, bitsPerSample, channelCount, sampleRateHz, blockBytes };
}

function readEncoding(fmt: DataView): 'pcm' | 'float' {
  let tag = fmt.getUint16(0, true);
  // An extensible format's tag is in the first two bytes of its GUID.
  if (tag === WAVE_FORMAT.extensible && fmt.byteLength >= EXTENSIBLE_BYTES) tag = fmt.getUint16(24, true);
  if (tag === WAVE_FORMAT.pcm) return 'pcm';
  if (tag === WAVE_FORMAT.ieeeFloat) return 'float';
  throw new InvalidInputError(
    `WAV files are read as PCM or float, but this one is compressed (format tag 0x${tag.toString(16)}). Convert it to 16-bit PCM.`,
  );
}

function isSupported(encoding: 'pcm' | 'float', bits: number): bits is WavFormat['bitsPerSample'] {
  return (encoding === 'pcm' ? [8, 16, 24, 32] : [32, 64]).includes(bits);
}
