import type { UNet2DConditionModel } from '../models/unet-2d-condition';
import type { LoraAdapter } from './lora/lora-adapter';
import type { TrainableWeight } from './trainable-weight';

/**
 * What a run trains of a UNet. It belongs to no model: it hangs in one for the time of a function, and the model without
 * it is the reference of diffusion-DPO.
 */
export interface TrainedPart {
  /** Each by the checkpoint's name of what it belongs to: `conv_in.weight`, `conv_in.lora_A.weight`. */
  readonly weights: readonly TrainableWeight[];
  readonly parameterCount: number;
  /** Hangs the part into the model until the returned function is called. @throws InvalidInputError for another model */
  attach(unet: UNet2DConditionModel): () => void;
  /**
   * As `attach`, beside what hangs there already: its difference from the base is added, times the strength. The last
   * one to be hung is the first to be taken out.
   */
  stack(unet: UNet2DConditionModel, strength: number): () => void;
  dispose(): void;
}

/** Runs `body` while the part hangs in the model; the model is as before afterwards. */
export function withPart<T>(part: TrainedPart, unet: UNet2DConditionModel, body: () => T): T {
  const detach = part.attach(unet);
  try {
    return body();
  } finally {
    detach();
  }
}

/** Low-rank weights beside a frozen UNet. */
export class LoraPart implements TrainedPart {
  constructor(readonly adapter: LoraAdapter) {}

  get weights(): readonly TrainableWeight[] {
    return this.adapter.weights;
  }

  get parameterCount(): number {
    return this.adapter.parameterCount;
  }

  attach(unet: UNet2DConditionModel): () => void {
    return this.adapter.attach(unet.adaptableLayers());
  }

  stack(unet: UNet2DConditionModel, strength: number): () => void {
    return this.adapter.stack(unet.adaptableLayers(), strength);
  }

  dispose(): void {
    this.adapter.dispose();
  }
}
