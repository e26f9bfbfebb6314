/** The seam between models and backends: every heavy op of the model code, on wasm and on WebGPU. */
import './common/fused-sum';
import './common/wasm-shapes';
import './common/wasm-slice';

export {
  type Activation,
  activate,
  gelu,
  geluNew,
  leakyRelu,
  relu,
  silu,
  tanh,
} from './activations/activations';
export { adamWUpdate, type Moments } from './adamw-update/adamw-update';
export { type AttentionOptions, attention } from './attention/attention';
export { weightValues } from './common/weight-values';
export { type ConvTranspose1dOptions, convTranspose1d } from './conv-transpose-1d/conv-transpose-1d';
export { type Conv1dOptions, conv1d } from './conv1d/conv1d';
export { type Conv2dOptions, conv2d } from './conv2d/conv2d';
export { embedding } from './embedding/embedding';
export { geglu } from './geglu/geglu';
export { type GroupNormOptions, groupNorm } from './group-norm/group-norm';
export { layerNorm, rmsNorm } from './layer-norm/layer-norm';
export { linear } from './linear/linear';
export { sumOfSquares } from './sum-of-squares/sum-of-squares';
export { upsampleConv2d } from './upsample-conv2d/upsample-conv2d';

export { upsampleNearest2x } from './upsample-nearest/upsample-nearest';
