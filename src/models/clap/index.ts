export { ClapModel } from './clap-model';
export { type ClapConfig, parseClapConfig } from './config';
export {
  ClapFeatureExtractor,
  type ClapFeatureExtractorConfig,
  type ClapFeatures,
  parseClapFeatureExtractorConfig,
} from './feature-extractor';
export { CLAP_IGNORED_KEYS, laionClapStateDict } from './key-map';
export { openLaionReleased } from './laion-released';
