import { InvalidInputError } from '../../common/errors';
import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { StagesApi } from '../protocol';
import { checkTensor } from './resolve-request';

type WithPipeline = <T>(use: (pipeline: TangoPipeline) => Promise<T>) => Promise<T>;

/** The pipeline's stages one by one, for scripts: input is checked, then the model in use computes. */
export function stagesOf(withPipeline: WithPipeline): StagesApi {
  return {
    async encodeText(prompts) {
      if (
        !Array.isArray(prompts) ||
        prompts.length === 0 ||
        !prompts.every((text) => typeof text === 'string')
      ) {
        throw new InvalidInputError('stages.encodeText takes a list of at least one text.');
      }
      return withPipeline((pipeline) => pipeline.encodeText(prompts));
    },
    async predict({ sample, timestep, textStates, textMask, textStates1, textMask1 }) {
      checkTensor('sample', sample, ['B', 'C', 'H', 'W']);
      checkTensor('textStates', textStates, ['B', 'L', 'D']);
      if (textMask) checkTensor('textMask', textMask, ['B', 'L']);
      if (textStates1) checkTensor('textStates1', textStates1, ['B', 'S', 'D']);
      if (textMask1) checkTensor('textMask1', textMask1, ['B', 'S']);
      const timesteps = typeof timestep === 'number' ? [timestep] : timestep;
      if (!Array.isArray(timesteps) || !timesteps.every((step) => Number.isFinite(step) && step >= 0)) {
        throw new InvalidInputError(
          `timestep must be a number of at least 0, or a list of them, but ${timestep} came.`,
        );
      }
      return withPipeline((pipeline) =>
        pipeline.predict({ sample, timestep, textStates, textMask, textStates1, textMask1 }),
      );
    },
    async encode(mel) {
      checkTensor('mel', mel, ['B', '1', 'T', 'F']);
      return withPipeline((pipeline) => pipeline.encode(mel));
    },
    async decode(latents) {
      checkTensor('latents', latents, ['B', 'C', 'H', 'W']);
      return withPipeline((pipeline) => pipeline.decode(latents));
    },
    async vocode(mel) {
      checkTensor('mel', mel, ['B', '1', 'T', 'F']);
      return withPipeline((pipeline) => pipeline.vocode(mel));
    },
    async mel(waveform) {
      checkTensor('waveform', waveform, ['samples']);
      return withPipeline(async (pipeline) => pipeline.mel(waveform));
    },
  };
}
