import { InvalidInputError, StudioError } from '../common/errors';
import type { DecodedSound } from './compressed/decoded-sound';
import { describeStart, type SoundFormat, soundFormatOf } from './sound-format';
import { decodeWav } from './wav/decode-wav';

type Decode = (bytes: Uint8Array, maxDurationSeconds: number) => Promise<DecodedSound>;

/** Each decoder brings 40–160 kB of WebAssembly, so it comes with the first file that needs it. */
const DECODERS: Record<SoundFormat, () => Promise<Decode>> = {
  wav: async () => async (bytes, maxDurationSeconds) => ({
    ...decodeWav(bytes, { maxDurationSeconds }),
    bitsPerSample: null,
  }),
  flac: async () => (await import('./compressed/decode-flac')).decodeFlac,
  mp3: async () => (await import('./compressed/decode-mp3')).decodeMp3,
  ogg: async () => (await import('./compressed/decode-ogg')).decodeOgg,
};

/**
 * Reads a WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus file, told apart by the first bytes. The rate stays the file's (Opus:
 * the rate before encoding, as far as Opus has it); samples are −1…1, those of lossy formats may go beyond.
 *
 * @param options.maxDurationSeconds longer sounds are refused before memory is taken for them; default: an hour
 * @throws InvalidInputError when the bytes are no such file, are cut off, damaged, hold no sample, or too many
 */
export async function decodeSound(
  bytes: Uint8Array,
  { maxDurationSeconds = 3600 }: { readonly maxDurationSeconds?: number } = {},
): Promise<DecodedSound> {
  const format = soundFormatOf(bytes);
  if (format === null) {
    throw new InvalidInputError(
      `Sounds are read as WAV, FLAC, MP3, Ogg Vorbis or Ogg Opus, but ${describeStart(bytes)} came. Convert it to one of these.`,
    );
  }
  const decode = await DECODERS[format]();
  try {
    return await decode(bytes, maxDurationSeconds);
  } catch (error) {
    if (error instanceof StudioError) throw error;
    // The decoders' own errors (a packet longer than their buffers, a trap) say nothing that a person could use.
    throw new InvalidInputError(
      `This ${format === 'ogg' ? 'Ogg' : format.toUpperCase()} file is damaged: its decoder gave up (${String(error).slice(0, 120)}). Get it again.`,
      { cause: error },
    );
  }
}
