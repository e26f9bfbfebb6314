export { ClapEncoder, type OpenedClap, openClap } from './clap-encoder';
export { ClapModel } from './clap-model';
export { type ClapConfig, parseClapConfig, parseClapTextConfig, parseClapTextTower } from './config';
export {
  ClapFeatureExtractor,
  type ClapFeatureExtractorConfig,
  parseClapFeatureExtractorConfig,
} from './feature-extractor';
export { CLAP_AUDIO_KEYS, CLAP_IGNORED_KEYS, laionClapStateDict } from './key-map';
export { openLaionReleased } from './laion-released';
export { ClapTextModelWithProjection } from './text-model-with-projection';
