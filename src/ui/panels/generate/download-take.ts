import { encodeWav } from '../../../audio';
import type { Sound } from '../../../engine/protocol';
import type { TrainRun } from '../../../engine/protocol-training';
import type { Studio } from '../../stores/studio';
import { wavFileName } from './file-name';
import { lineageOf } from './lineage';

/** Blob addresses live until the browser has read them; a minute is ample for a save dialog to begin. */
const REVOKE_AFTER_MS = 60_000;

/** A 16-bit WAV file; its comment is the sound's lineage as JSON. */
export function takeFile(sound: Sound, runs: readonly TrainRun[]): { name: string; blob: Blob } {
  const { prompt } = sound.parameters;
  // In ASCII: RIFF has no word on the encoding, and readers differ.
  const comment = JSON.stringify(lineageOf(sound.parameters, runs)).replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  const info = { title: prompt, software: 'Tango Studio', comment };
  const bytes = encodeWav([sound.audio], sound.sampleRateHz, 'pcm16', info);
  return { name: wavFileName(prompt, sound.seed), blob: new Blob([bytes], { type: 'audio/wav' }) };
}

/** Saves the take through the browser's download. */
export function downloadTake({ fineTune }: Studio, sound: Sound): void {
  const { name, blob } = takeFile(sound, fineTune.getState().runs ?? []);
  const url = URL.createObjectURL(blob);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), REVOKE_AFTER_MS);
}
