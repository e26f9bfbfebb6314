import { InvalidInputError } from '../common/errors';
import type { ClapApi, ClapModelSummary } from '../engine/protocol-clap';

export const fakeClapModels: readonly ClapModelSummary[] = ['Small CLAP A', 'Small CLAP B'].map(
  (name, index) => ({
    id: `fake-clap-${index + 1}`,
    name,
    source: 'bundled',
    description: 'A CLAP of the fake engine.',
    license: 'Apache-2.0',
    bytes: 4_000_000,
    parameterCount: 2_000_000,
    projectionDim: 8,
  }),
);

/** CLAP as the page sees it: the score of a sound is a fixed function of its samples and the model. */
export function fakeClap(): ClapApi {
  const refuse = (): Promise<never> =>
    Promise.reject(new InvalidInputError('The fake engine imports no CLAP.'));
  const known = (modelId: string | undefined): ClapModelSummary =>
    fakeClapModels.find(({ id }) => id === modelId) ?? fakeClapModels[0]!;
  return {
    models: async () => fakeClapModels,
    importFiles: refuse,
    verify: refuse,
    unload: refuse,
    remove: refuse,
    score: async ({ items, modelIds = fakeClapModels.map(({ id }) => id) }, { onProgress } = {}) => {
      onProgress?.({ index: items.length * modelIds.length, count: items.length * modelIds.length });
      return items.map(({ audio }) =>
        modelIds.map((modelId) => {
          const model = known(modelId);
          return { modelId: model.id, modelName: model.name, score: directionOf(audio, model)[0]! };
        }),
      );
    },
    embedText: async ({ prompts, modelId }) => {
      const model = known(modelId);
      return {
        modelId: model.id,
        modelName: model.name,
        embeddings: prompts.map((prompt) =>
          directionOf(
            Float32Array.from(prompt, (letter) => letter.charCodeAt(0)),
            model,
          ),
        ),
      };
    },
    embedAudio: async ({ clips, modelId }) => {
      const model = known(modelId);
      return {
        modelId: model.id,
        modelName: model.name,
        embeddings: clips.map(({ audio }) => directionOf(audio, model)),
      };
    },
  };
}

/** A vector of length 1, the same for the same values and model. */
function directionOf(values: Float32Array, model: ClapModelSummary): Float32Array {
  const sum = values.reduce((total, x, i) => total + Math.abs(x) * ((i % 7) + 1), 0) + model.id.length;
  const phase = Number(model.id.at(-1));
  const vector = Float32Array.from({ length: model.projectionDim }, (_, i) =>
    Math.sin(sum * (i + 1) + phase),
  );
  const norm = Math.hypot(...vector);
  return vector.map((x) => x / norm);
}
