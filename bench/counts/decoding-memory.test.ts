/**
 * What decoding 10.24 s takes of a GPU beside its weights with Tango's own decoder and vocoder: whole, and piece by
 * piece as where memory is short. Counted on a device that does nothing.
 */
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { giveIdleBuffersBack } from '../../src/gpu/device';
import { AutoencoderKL, parseAutoencoderKLConfig } from '../../src/models/autoencoder-kl';
import { HifiGan, parseHifiGanConfig } from '../../src/models/hifi-gan';
import { ParameterRoot, type ParameterScope } from '../../src/nn';
import { withPlannedBackend } from './planned-backend';

const VAE = {
  in_channels: 1,
  out_channels: 1,
  block_out_channels: [128, 256, 512],
  layers_per_block: 2,
  latent_channels: 8,
  down_block_types: ['DownEncoderBlock2D', 'DownEncoderBlock2D', 'DownEncoderBlock2D'],
  up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D', 'UpDecoderBlock2D'],
  norm_num_groups: 32,
};
const VOCODER = {
  model_in_dim: 64,
  sampling_rate: 16_000,
  upsample_initial_channel: 1024,
  upsample_rates: [5, 4, 2, 2, 2],
  upsample_kernel_sizes: [16, 16, 8, 4, 4],
  resblock_kernel_sizes: [3, 7, 11],
  resblock_dilation_sizes: [
    [1, 3, 5],
    [1, 3, 5],
    [1, 3, 5],
  ],
  normalize_before: false,
};

/** The most that buffers took beside the weights, in MB. */
function activationMegabytes(
  build: (scope: ParameterScope) => (x: tf.Tensor) => tf.Tensor,
  shape: readonly number[],
): Promise<number> {
  return withPlannedBackend(({ pool, unfilled, fill, finish }) => {
    const root = new ParameterRoot();
    const forward = build(root.scope);
    fill(root, 'float16');
    const weights = pool.numBytesUsed;
    const input = unfilled(shape);
    const result = forward(input);
    finish(result);
    const megabytes = Math.round((pool.peakBytes - weights) / 1e6);
    tf.dispose([input, result]);
    root.dispose();
    return megabytes;
  });
}

it('the autoencoder’s decoder: at most 360 MB, and 220 MB layer by layer', async () => {
  const decoder = (afterLayer?: () => void) => (scope: ParameterScope) => {
    const model = new AutoencoderKL(parseAutoencoderKLConfig(VAE), scope);
    return (latents: tf.Tensor) => model.decode(latents as tf.Tensor4D, afterLayer);
  };
  const whole = await activationMegabytes(decoder(), [1, 256, 16, 8]);
  const layered = await activationMegabytes(decoder(giveIdleBuffersBack), [1, 256, 16, 8]);
  console.log(`autoencoder's decoder, 10.24 s: ${whole} MB whole, ${layered} MB layer by layer`);
  expect(whole).toBeLessThanOrEqual(360);
  expect(layered).toBeLessThanOrEqual(220);
});

it('the vocoder: at most 560 MB, and 230 MB in tiles of 256 frames', async () => {
  const vocoder = (framesPerTile: number) => (scope: ParameterScope) => {
    const model = new HifiGan(parseHifiGanConfig(VOCODER), scope);
    return (mel: tf.Tensor) =>
      framesPerTile === 1024
        ? model.forward(mel as tf.Tensor3D)
        : model.forwardInTiles(mel as tf.Tensor3D, framesPerTile, giveIdleBuffersBack);
  };
  const whole = await activationMegabytes(vocoder(1024), [1, 1024, 64]);
  const tiled = await activationMegabytes(vocoder(256), [1, 1024, 64]);
  console.log(`vocoder, 10.24 s: ${whole} MB whole, ${tiled} MB in tiles of 256 frames`);
  expect(whole).toBeLessThanOrEqual(560);
  expect(tiled).toBeLessThanOrEqual(230);
});
