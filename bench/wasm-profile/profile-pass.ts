/** Where the time of one pass of the default UNet goes on wasm, kernel by kernel: time spent in a kernel itself. */
import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { openSafetensors } from '../../src/weights/formats/safetensors';

interface KernelTime {
  readonly kernel: string;
  readonly calls: number;
  /** Without the kernels that it called. */
  readonly milliseconds: number;
  readonly share: number;
}

/** Wraps every wasm kernel; the returned function gives the times since the last call. */
function timeKernels(): () => Omit<KernelTime, 'share'>[] {
  const times = new Map<string, { calls: number; milliseconds: number }>();
  const inside: number[] = [];
  for (const config of tf.getKernelsForBackend('wasm')) {
    const { kernelName, kernelFunc } = config;
    tf.unregisterKernel(kernelName, 'wasm');
    tf.registerKernel({
      ...config,
      kernelFunc: (args) => {
        inside.push(0);
        const started = performance.now();
        try {
          return kernelFunc(args);
        } finally {
          const elapsed = performance.now() - started;
          const own = elapsed - (inside.pop() ?? 0);
          if (inside.length > 0) inside[inside.length - 1]! += elapsed;
          const known = times.get(kernelName) ?? { calls: 0, milliseconds: 0 };
          times.set(kernelName, { calls: known.calls + 1, milliseconds: known.milliseconds + own });
        }
      },
    });
  }
  return () => {
    const list = [...times].map(([kernel, { calls, milliseconds }]) => ({ kernel, calls, milliseconds }));
    times.clear();
    return list.sort((a, b) => b.milliseconds - a.milliseconds);
  };
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
): Promise<{ passMs: number; kernels: KernelTime[] }> {
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
  let best: { passMs: number; kernels: KernelTime[] } | null = null;
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
