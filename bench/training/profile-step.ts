/** Where the time of one step of LoRA training goes on wasm: time spent in a kernel itself. */
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { LoraAdapter } from '../../src/training/lora/lora-adapter';
import { ATTENTION_TARGETS } from '../../src/training/lora/lora-config';
import { AdamW } from '../../src/training/optimizer/adamw';
import { openSafetensors } from '../../src/weights/formats/safetensors';
import { type KernelTime, timeKernels } from '../wasm-profile/time-kernels';
import { loraStep } from './lora-step';

interface StepProfile {
  readonly stepMs: number;
  /** CPU time of the process: what a busy machine changes little. */
  readonly cpuMs: number;
  readonly outsideOfKernelsMs: number;
  readonly kernels: readonly (KernelTime & { readonly share: number })[];
}

interface OpenStep {
  readonly config: object;
  /** The safetensors file. */
  readonly weights: Blob;
  /** Height and width of the latents. */
  readonly size: readonly [number, number];
}

/** One pair, rank 8 on the attentions, random inputs: what `step` does is a step of training. */
export async function openStep({ config, weights, size }: OpenStep): Promise<() => void> {
  await tf.setBackend('wasm');
  await tf.ready();
  const root = new ParameterRoot();
  const unet = new UNet2DConditionModel(parseUNet2DConditionConfig(config), root.scope);
  await root.load(await openSafetensors(weights, 'unet'));
  const lora = { rank: 8, alpha: 8, targetModules: ATTENTION_TARGETS };
  const adapter = LoraAdapter.create(unet.adaptableLayers(), lora, 0);
  const optimizer = new AdamW();
  const drawn = <R extends tf.Rank>(...shape: number[]): tf.Tensor<R> =>
    tf.randomNormal(shape as tf.ShapeMap[R]);
  const pair = {
    noisy: drawn<tf.Rank.R4>(2, ...size, unet.config.inChannels),
    target: drawn<tf.Rank.R4>(2, ...size, unet.config.inChannels),
    text: drawn<tf.Rank.R3>(2, 16, unet.config.crossAttentionDim[0]![0]!),
    mask: tf.ones<tf.Rank.R2>([2, 16]),
    timestep: 500,
    beta: 2000,
  };
  return () => tf.dispose([...loraStep(unet, adapter, optimizer, pair)]);
}

/** Runs `step`. @returns the processor's seconds */
export function cpuSeconds(step: () => void): number {
  const before = process.cpuUsage();
  step();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1e6;
}

/** @returns of `runs` steps the one that took the least CPU time, its kernels the slowest first */
export async function profileStep(model: OpenStep, runs: number): Promise<StepProfile> {
  const step = await openStep(model);
  step();
  // Kernels of the studio are registered at their first use: by now.
  const take = timeKernels();
  step();
  take();
  let best: StepProfile | null = null;
  for (let run = 0; run < runs; run += 1) {
    const started = performance.now();
    const cpuMs = 1000 * cpuSeconds(step);
    const stepMs = performance.now() - started;
    const kernels = take().map((time) => ({ ...time, share: time.milliseconds / stepMs }));
    const inKernels = kernels.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
    if (!best || cpuMs < best.cpuMs)
      best = { stepMs, cpuMs, outsideOfKernelsMs: stepMs - inKernels, kernels };
  }
  if (!best) throw new Error('Expected at least one run.');
  return best;
}
