export { Attention } from './attention';
export { BasicTransformerBlock } from './basic-transformer-block';
export { DownBlock2D, type DownBlockOutput, MidBlock2D, UpBlock2D } from './blocks';
export { parseUNet2DConditionConfig, type UNet2DConditionConfig } from './config';
export type { EncoderStates } from './encoder-states';
export { Downsample2D, Upsample2D } from './resample';
export { ResnetBlock2D } from './resnet-block';
export { Transformer2DModel } from './transformer-2d';
export {
  type PromptStates,
  type UNet2DConditionInputs,
  UNet2DConditionModel,
} from './unet-2d-condition-model';
export { AROUND_STAGES, type UNetStage } from './unet-stages';
