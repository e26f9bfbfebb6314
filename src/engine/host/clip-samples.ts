import { decodeSound, decodeWav, encodeWav, peakOf, soundFormatOf } from '../../audio';
import type { TrainingClip } from '../protocol-training';

/** The left channel, as Tango hears recordings. @throws InvalidInputError when the bytes are no WAV file */
export function monoOf(bytes: Uint8Array): TrainingClip {
  const { channels, sampleRateHz } = decodeWav(bytes);
  return { audio: channels[0]!, sampleRateHz };
}

/**
 * The sound as the WAV file that the store keeps: a WAV file as it is (unread), another with its rate and channels. FLAC stays
 * exact. 16 bits are enough for MP3, Vorbis and Opus, whose own error is far above; where one goes beyond full scale,
 * floats keep that.
 * @throws InvalidInputError when it does not decode
 */
export async function wavFileOf(bytes: Uint8Array): Promise<Uint8Array> {
  if (soundFormatOf(bytes) === 'wav') return bytes;
  const { channels, sampleRateHz, bitsPerSample } = await decodeSound(bytes);
  if ((bitsPerSample ?? 0) > 16) return encodeWav(channels, sampleRateHz, 'pcm24');
  return encodeWav(channels, sampleRateHz, channels.some((one) => peakOf(one) > 1) ? 'float32' : 'pcm16');
}
