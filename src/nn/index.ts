export {
  type AdaptableLayer,
  BatchNorm2d,
  Conv1d,
  Conv2d,
  ConvTranspose1d,
  Embedding,
  GroupNorm,
  type LayerAdapter,
  LayerNorm,
  Linear,
  RmsNorm,
} from './layers';
export type { ParameterLayout } from './layout';
export type { LoadOptions } from './load-parameters';
export { Parameter } from './parameter';
export { ParameterRoot, ParameterScope } from './parameter-tree';
export { runInSequence } from './sequence';
