/**
 * Counts of one UNet pass of any size without computing it: the real model, the real backend and the real programs on
 * a device that does nothing.
 */
import * as tf from '@tensorflow/tfjs-core';
import { submitEncoded } from '../../src/gpu/device/webgpu-backend';
import { type Counts, recordPrograms } from '../../src/gpu/planning/recorder';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../src/models/unet-2d-condition';
import { ParameterRoot } from '../../src/nn';
import { withPlannedBackend } from './planned-backend';

export interface PassRequest {
  /** The model's config.json. */
  readonly config: object;
  /** Frames and bins of the latents. */
  readonly latentSize: readonly [number, number];
  readonly batch: number;
  readonly tokens: number;
  /** How matrices and kernels lie on the GPU. */
  readonly weights: 'float16' | 'float32';
}

export interface PassCounts extends Counts {
  readonly parameters: number;
  readonly weightBytes: number;
  /** Of buffers that the pass made, where what the one before left was not enough. */
  readonly newBufferBytes: number;
  /** Calls of the device in the pass: what is made anew, and how often commands are handed over. */
  readonly calls: Readonly<Record<'createBuffer' | 'createBindGroup' | 'writeBuffer' | 'submit', number>>;
  /** The most that buffers took at once, weights and buffers kept for reuse included. */
  readonly peakBytes: number;
}

/** Runs one pass on the planning device; the second of two, so that what a generation prepares once is left out. */
export async function countPass(request: PassRequest): Promise<PassCounts> {
  const { config, latentSize, batch, tokens, weights } = request;
  return withPlannedBackend(({ backend, pool, unfilled, fill, finish }) => {
    const parsed = parseUNet2DConditionConfig(config);
    const root = new ParameterRoot();
    const model = new UNet2DConditionModel(parsed, root.scope);
    fill(root, weights);
    const weightBytes = pool.numBytesUsed;
    const states = unfilled<tf.Rank.R3>([batch, tokens, parsed.crossAttentionDim[0]![0]!]);
    const mask = unfilled<tf.Rank.R2>([batch, tokens]);
    const encoder = model.prepareEncoderStates(states, mask);
    const sample = unfilled<tf.Rank.R4>([batch, ...latentSize, parsed.inChannels]);
    const pass = (): void => {
      const noise = model.forward(sample, [500], encoder);
      finish(noise);
      noise.dispose();
    };
    submitEncoded(backend);
    pass();
    const recorder = recordPrograms(backend);
    const created = pool.createdBytes;
    const { device, queue } = backend;
    const calls = {
      createBuffer: countCalls(device, 'createBuffer'),
      createBindGroup: countCalls(device, 'createBindGroup'),
      writeBuffer: countCalls(queue, 'writeBuffer'),
      submit: countCalls(queue, 'submit'),
    };
    pass();
    const newBufferBytes = pool.createdBytes - created;
    const counts = recorder.stop();
    const result = {
      ...counts,
      newBufferBytes,
      calls: {
        createBuffer: calls.createBuffer(),
        createBindGroup: calls.createBindGroup(),
        writeBuffer: calls.writeBuffer(),
        submit: calls.submit(),
      },
      parameters: root.parameterCount,
      weightBytes,
      peakBytes: pool.peakBytes,
    };
    encoder.dispose();
    tf.dispose([states, mask, sample]);
    root.dispose();
    return result;
  });
}

/** @returns what tells how often the method has been called since */
function countCalls<T extends object>(target: T, name: keyof T & string): () => number {
  let count = 0;
  const original = target[name] as (...args: unknown[]) => unknown;
  Object.assign(target, {
    [name]: (...args: unknown[]) => {
      count += 1;
      return original.apply(target, args);
    },
  });
  return () => count;
}
