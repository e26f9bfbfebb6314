/** Where the time of one pass of the default UNet goes on wasm, kernel by kernel: time spent in a kernel itself. */
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { openSafetensors } from '../../src/weights/formats/safetensors';
import { type KernelTime, timeKernels } from './time-kernels';

interface KernelShare extends KernelTime {
  readonly share: number;
}

/**
 * @param config the model's config.json
 * @param weights its safetensors file
 * @returns the kernels of the fastest of `runs` passes (batch of two, latents 64 x 8), the slowest first
 */
export async function profilePass(
  config: object,
  weights: Blob,
  runs: number,
): Promise<{ passMs: number; kernels: KernelShare[] }> {
  await tf.setBackend('wasm');
  await tf.ready();
  const root = new ParameterRoot();
  const model = new UNet2DConditionModel(parseUNet2DConditionConfig(config), root.scope);
  await root.load(await openSafetensors(weights, 'unet'));
  const sample = tf.randomNormal<tf.Rank.R4>([2, 64, 8, model.config.inChannels]);
  const states = tf.randomNormal<tf.Rank.R3>([2, 16, model.config.crossAttentionDim[0]![0]!]);
  const encoder = model.prepareEncoderStates(states);
  const pass = (): void => model.forward(sample, [500], encoder).dispose();
  pass();
  // Kernels of the studio are registered at their first use: by now.
  const take = timeKernels();
  pass();
  take();
  let best: { passMs: number; kernels: KernelShare[] } | null = null;
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    pass();
    const passMs = performance.now() - started;
    const kernels = take().map((time) => ({ ...time, share: time.milliseconds / passMs }));
    if (!best || passMs < best.passMs) best = { passMs, kernels };
  }
  if (!best) throw new Error('Expected at least one run.');
  return best;
}
