import { readWavInfo, type WavInfo } from '../audio';
import { parseLineage } from './lineage';
import type { Sound } from './protocol';
import type { AdapterLineage } from './protocol-training';

/** What a WAV file of the studio says of its sound: what it was made with, and where its adapters and its model come from. */
export interface SoundRecord {
  /** As `studio.generate` takes them. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Of `parameters.adapters`, one each; null where the file does not say it in a way that can be read. */
  readonly lineage: readonly (AdapterLineage | null)[];
  /** Of the model, where its UNet was merged from a run. */
  readonly modelLineage: AdapterLineage | null;
}

const SOFTWARE = 'Tango Studio';

/** The texts for `encodeWav`: title, software, and the record as JSON in the comment. */
export function soundInfo({
  parameters,
  seed,
  backend,
  lineage = [],
  modelLineage,
}: Pick<Sound, 'parameters' | 'seed' | 'backend' | 'lineage' | 'modelLineage'>): WavInfo {
  const record = {
    ...{ parameters: { ...parameters, seed }, backend, lineage },
    ...(modelLineage && { modelLineage }),
  };
  return { INAM: parameters.prompt, ISFT: SOFTWARE, ICMT: JSON.stringify({ tango_studio: record }) };
}

/** The record of a WAV file; null when it is not of the studio. */
export function readSoundRecord(bytes: Uint8Array): SoundRecord | null {
  const { ISFT, ICMT = '' } = readWavInfo(bytes);
  if (ISFT !== SOFTWARE) return null;
  try {
    const { parameters, lineage, modelLineage = null } = JSON.parse(ICMT).tango_studio;
    return {
      parameters: { ...parameters },
      lineage: [...lineage].map((one) => parseLineage(JSON.stringify(one))),
      modelLineage: parseLineage(JSON.stringify(modelLineage)),
    };
  } catch {
    return null;
  }
}
