import type { TangoPipeline } from '../../diffusion/pipelines/tango-pipeline';
import type { ResolvedGenerateRequest, Sound } from '../protocol';

/** Of a model that is loaded; `all-but-unet`: its weights there need not be those of its files, and may be gone. */
export type ModelNeeds = 'all' | 'all-but-unet';

export interface TrainerEngine {
  /**
   * Waits for a turn on the device and runs `work` with the model; between two turns other jobs run.
   * @param needs default: all of it
   */
  turn<T>(
    modelId: string,
    signal: AbortSignal | undefined,
    work: (pipeline: TangoPipeline, signal: AbortSignal) => Promise<T>,
    needs?: ModelNeeds,
  ): Promise<T>;
  /** A sound of the model as it is now, its adapters included; within a turn. */
  generate(
    pipeline: TangoPipeline,
    request: ResolvedGenerateRequest,
    signal: AbortSignal | undefined,
  ): Promise<Sound>;
  /** The model that requests without an id mean. */
  modelId(): string;
}
