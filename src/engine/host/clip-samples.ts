import { decodeWav } from '../../audio';
import type { TrainingClip } from '../protocol-training';

/** The left channel, as Tango hears recordings. @throws InvalidInputError when the bytes are no WAV file */
export function monoOf(bytes: Uint8Array): TrainingClip {
  const { channels, sampleRateHz } = decodeWav(bytes);
  return { audio: channels[0]!, sampleRateHz };
}
