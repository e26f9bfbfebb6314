export { AutoencoderKL, type LatentDistribution } from './autoencoder-kl';
export { type AutoencoderKLConfig, parseAutoencoderKLConfig } from './config';
export { autoencoderKLStateDict } from './key-map';
