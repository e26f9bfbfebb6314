export { audioldmVaeStateDict } from './audioldm-key-map';
export { AutoencoderKL, type LatentDistribution } from './autoencoder-kl';
export {
  type AutoencoderKLConfig,
  autoencoderKLConfigFromAudioldm,
  parseAutoencoderKLConfig,
} from './config';
export { autoencoderKLStateDict } from './key-map';
