import { encodeWav } from '../../../audio';
import { soundInfo } from '../../../engine/sound-record';
import type { Take } from '../../stores/generation-store';
import { wavFileName } from './file-name';

/** Blob addresses live until the browser has read them; a minute is ample for a save dialog to begin. */
const REVOKE_AFTER_MS = 60_000;

/** Saves the take as a 16-bit WAV file that says how it was made, through the browser's download. */
export function downloadTake({ sound }: Take): void {
  const bytes = encodeWav([sound.audio], sound.sampleRateHz, 'pcm16', soundInfo(sound));
  const url = URL.createObjectURL(new Blob([bytes], { type: 'audio/wav' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = wavFileName(sound.parameters.prompt, sound.seed);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
}
