export { parseT5Config, type T5Config } from './config';
export { T5_ENCODER_IGNORED_KEYS, T5EncoderModel, t5EncoderStateDict } from './t5-encoder-model';
