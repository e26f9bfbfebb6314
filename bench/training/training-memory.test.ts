/**
 * What one step of LoRA diffusion-DPO takes of a GPU at Tango 2's size, counted on a device that does nothing: batch of
 * one pair, float16 base, activations computed again.
 */
import { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { installPool } from '../../src/gpu/device/buffer-pool';
import { planningDevice, provideWebGpuNames } from '../../src/gpu/planning/planning-device';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { diffusionDpoLoss, rewardMargins } from '../../src/training/diffusion-dpo-loss';
import { LoraAdapter } from '../../src/training/lora/lora-adapter';
import { ATTENTION_TARGETS } from '../../src/training/lora/lora-config';
import { AdamW } from '../../src/training/optimizer/adamw';
import { recomputedGradients } from '../../src/training/recompute';
import '../../src/training/register-gradients';
import config from '../counts/tango2-unet.json';

const LATENT_SIZE = [256, 16] as const; // 10.24 s
const TOKENS = 32;

it('fits 8 GB at full size, 10.24 s', async () => {
  const takeNamesAway = provideWebGpuNames();
  const device = planningDevice();
  const backend = new WebGPUBackend(device, { vendor: 'planned', architecture: 'planned' } as GPUAdapterInfo);
  const pool = installPool(backend);
  if (tf.findBackendFactory('webgpu')) tf.removeBackend('webgpu');
  tf.registerBackend('webgpu', () => backend);
  await tf.setBackend('webgpu');
  /** A tensor with a buffer and no values. */
  const unfilled = <R extends tf.Rank>(
    shape: readonly number[],
    dtype: 'float32' | 'int32' = 'float32',
  ): tf.Tensor<R> => {
    const info = backend.makeTensorInfo([...shape], dtype);
    backend.uploadToGPU(info.dataId);
    return tf.engine().makeTensorFromTensorInfo(info) as tf.Tensor<R>;
  };
  try {
    const parsed = parseUNet2DConditionConfig(config);
    const root = new ParameterRoot();
    const unet = new UNet2DConditionModel(parsed, root.scope);
    for (const parameter of root.list()) {
      const halves = parameter.shape.length > 1;
      parameter.assign(
        halves ? unfilled([Math.ceil(parameter.elementCount / 2)], 'int32') : unfilled(parameter.shape),
        halves ? 'float16' : 'float32',
      );
    }
    const weightBytes = pool.numBytesUsed;
    const adapter = LoraAdapter.create(
      unet.linears(),
      { rank: 8, alpha: 8, targetModules: ATTENTION_TARGETS },
      0,
    );
    const optimizer = new AdamW();
    const image = [2, ...LATENT_SIZE, parsed.inChannels];
    const batch = {
      noisy: unfilled<tf.Rank.R4>(image),
      target: unfilled<tf.Rank.R4>(image),
      states: unfilled<tf.Rank.R3>([2, TOKENS, parsed.crossAttentionDim[0]!]),
      mask: unfilled<tf.Rank.R2>([2, TOKENS]),
      timesteps: [500, 500],
    };
    const step = (): void => {
      const reference = tf.tidy(() =>
        unet.forward(batch.noisy, batch.timesteps, unet.prepareEncoderStates(batch.states, batch.mask)),
      );
      const half = (prediction: tf.Tensor, i: number) => {
        const of = (tensor: tf.Tensor): tf.Tensor => tf.split(tensor, 2)[i]!;
        return { prediction: of(prediction), reference: of(reference), target: of(batch.target) };
      };
      const weights = adapter.weights.map(({ tensor }) => tensor);
      const { value, grads } = adapter.within(unet.linears(), () =>
        recomputedGradients(
          unet,
          batch,
          weights,
          ({ linears }) => adapter.weightsOf(linears),
          (prediction) => diffusionDpoLoss(rewardMargins(half(prediction, 0), half(prediction, 1), 2000)),
        ),
      );
      optimizer.step(adapter.weights, grads, 1e-4);
      for (const { tensor } of adapter.weights) backend.uploadToGPU(tensor.dataId);
      tf.dispose([value, ...grads, reference]);
    };
    step();
    const first = pool.peakBytes;
    step();
    process.stdout.write(
      `${JSON.stringify({ weightBytes, adapterParameters: adapter.parameterCount, peakBytes: first })}\n`,
    );
    // The second step finds the moments there, and takes no more than the first.
    expect(pool.peakBytes).toBe(first);
    expect(pool.peakBytes).toBeLessThanOrEqual(8e9);
  } finally {
    tf.removeBackend('webgpu');
    takeNamesAway();
  }
}, 240_000);
