import './autoencoder-kl.test';
