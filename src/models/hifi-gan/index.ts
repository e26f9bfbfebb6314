export {
  contextFrames,
  type HifiGanConfig,
  outputLength,
  parseHifiGanConfig,
  samplesPerFrame,
  TANGO_HIFI_GAN_CONFIG,
} from './config';
export { HifiGan } from './hifi-gan';
export { hifiGanStateDict } from './key-map';
export { foldWeightNorm } from './weight-norm';
