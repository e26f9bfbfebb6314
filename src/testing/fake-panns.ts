import { InvalidInputError } from '../common/errors';
import type { PannModelSummary, PannsApi } from '../engine/protocol-panns';

export const fakePann: PannModelSummary = {
  id: 'fake-pann',
  name: 'PANNs Cnn14, 16 kHz',
  source: 'imported',
  description: '',
  license: null,
  precision: 'float16',
  bytes: 161_000_000,
  parameterCount: 80_700_000,
  sampleRateHz: 16_000,
};

const LABELS = ['Dog', 'Bark', 'Animal', 'Telephone', 'Speech', 'Music'];

/** PANNs as the page sees them: none until one is imported; what they hear depends on the sound's first samples. */
export function fakePanns(): PannsApi {
  let models: readonly PannModelSummary[] = [];
  return {
    models: async () => models,
    importFiles: async (files) => {
      if (files.length === 0) throw new InvalidInputError('PANNs are one file of weights, but none came.');
      models = [fakePann];
      return fakePann;
    },
    verify: async () => ({ damaged: [] }),
    unload: async () => {
      models = models.map(({ loaded: _, ...one }) => one);
    },
    remove: async (id) => {
      models = models.filter((one) => one.id !== id);
    },
    tag: async ({ audio, count = 5 }) => {
      models = models.map((one) => ({ ...one, loaded: true }));
      const turn = Math.round(Math.abs(audio[1] ?? 0) * 1e4) % LABELS.length;
      return LABELS.map((_, i) => ({
        label: LABELS[(i + turn) % LABELS.length]!,
        probability: 0.9 / (i + 1),
      })).slice(0, count);
    },
  };
}
