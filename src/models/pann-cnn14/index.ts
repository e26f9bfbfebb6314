export { audiosetClasses } from './audioset-classes';
export { Cnn14, type Cnn14Output } from './cnn14';
export { Cnn14Encoder, type HeardByCnn14, type OpenedCnn14, openCnn14 } from './cnn14-encoder';
export { type Cnn14Config, cnn14Config } from './config';
export { CNN14_IGNORED_KEYS, MEL_FILTERS_KEY, pannStateDict } from './key-map';
