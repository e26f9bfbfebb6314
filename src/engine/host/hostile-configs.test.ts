import { expect, it } from 'vitest';
import { StudioError } from '../../common/errors';
import { tangoReleased, tinyAudioldm, tinyAudioldm2, tinyTango } from '../../testing';
import type { ModelFile } from '../protocol';
import { MemoryStore } from './key-value-store';
import { ModelLibrary } from './model-library';
import { ModelStore } from './model-store';

const ODD = [Number.MAX_SAFE_INTEGER, 1e9, 2 ** 20, 2 ** 14, 0, -1, 0.5, 'x', {}, [], [1e9], null];
/** Shared by all of them: what is wrong with a config is said before any weight is read. */
const DEADLINE_MS = 3000;

const noCheck = async (): Promise<void> => {};

/** Every number of the JSON in turn replaced by every odd value. */
function* bent(json: unknown, path = ''): Generator<{ field: string; json: unknown }> {
  if (typeof json === 'number')
    for (const odd of ODD) yield { field: `${path} = ${JSON.stringify(odd)}`, json: odd };
  if (Array.isArray(json)) {
    for (const [i, item] of json.entries()) {
      for (const one of bent(item, `${path}[${i}]`)) yield { ...one, json: json.with(i, one.json) };
    }
  } else if (typeof json === 'object' && json !== null) {
    for (const [key, item] of Object.entries(json)) {
      for (const one of bent(item, `${path}.${key}`)) yield { ...one, json: { ...json, [key]: one.json } };
    }
  }
}

/** Of AudioLDM 2 what the others do not have: each try reads a second, larger tokenizer. */
const OWN = /^(projection_model|language_model|unet)\/config\.json$/;

it.each<[string, Promise<{ readonly files: readonly ModelFile[] }>, RegExp]>([
  ['a diffusers folder', tinyTango(), /config\.json$/],
  ['AudioLDM', tinyAudioldm(), /config\.json$/],
  ['AudioLDM 2', tinyAudioldm2(), OWN],
  ['Tango’s published files', tangoReleased(), /config\.json$/],
])(
  '%s: whatever number a config has, it is taken or refused in words, and at once',
  async (_, model, bends) => {
    const { files } = await model;
    let refused = 0;
    for (const [place, { path, blob }] of files.entries()) {
      if (!bends.test(path)) continue;
      for (const { field, json } of bent(JSON.parse(await blob.text()))) {
        const changed = files.with(place, { path, blob: new Blob([JSON.stringify(json)]) });
        const library = new ModelLibrary('http://127.0.0.1:9/models/', new ModelStore(new MemoryStore()));
        const controller = new AbortController();
        const start = performance.now();
        const outcome: unknown = await library
          .importFiles(changed, noCheck, { signal: controller.signal, onProgress: () => controller.abort() })
          .catch((error: unknown) => error);
        expect(performance.now() - start, `${path} ${field}`).toBeLessThan(DEADLINE_MS);
        // A config that is taken ends at the first chunk that is kept, by the signal.
        if (outcome === controller.signal.reason) continue;
        expect(outcome, `${path} ${field}: ${outcome instanceof Error ? outcome.stack : ''}`).toBeInstanceOf(
          StudioError,
        );
        refused += 1;
      }
    }
    expect(refused).toBeGreaterThan(20);
  },
);
