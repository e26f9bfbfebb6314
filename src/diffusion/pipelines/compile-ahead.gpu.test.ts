import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, expect, it, vi } from 'vitest';
import { BackendUnavailableError } from '../../common/errors';
import { startBackend, tinyAudioldm2, tinyTango } from '../../testing';
import { TangoPipeline } from './tango-pipeline';

const MODELS = [
  ['Tango', await tinyTango('F16'), 'ddim'],
  ['AudioLDM 2', await tinyAudioldm2('F16'), 'guided'],
] as const;

beforeAll(() => startBackend('webgpu'));

it.each(MODELS)(
  '%s: leaves no pipeline to compile in the sampling loop, and no tensor behind',
  async (_, tiny, name) => {
    const { device } = tf.backend() as WebGPUBackend;
    const pipeline = await TangoPipeline.load(tiny.folder);
    const tensors = tf.memory().numTensors;
    const refuse = vi
      .spyOn(device, 'createComputePipelineAsync')
      .mockRejectedValueOnce(new Error('too many'));
    const { durationSeconds } = tiny.requests[name]!;
    await expect(pipeline.compileAhead(durationSeconds)).rejects.toThrow(BackendUnavailableError);
    refuse.mockRestore();

    const inBackground = vi.spyOn(device, 'createComputePipelineAsync');
    await pipeline.compileAhead(durationSeconds);
    expect(inBackground.mock.calls.length).toBeGreaterThan(0);
    expect(tf.memory().numTensors).toBe(tensors);

    const atOnce = vi.spyOn(device, 'createComputePipeline');
    const compiled: (readonly [string, number])[] = [];
    const { audio } = await pipeline.run(
      { ...tiny.requests[name]!, prompt: tiny.prompt, scheduler: 'dpm-solver++', steps: 3 },
      { onStage: (stage) => compiled.push([stage, atOnce.mock.calls.length]), onPreview: () => {} },
    );
    expect(audio.every(Number.isFinite)).toBe(true);
    expect(compiled.map(([, count]) => count)).toEqual(compiled.map(() => 0));
    expect(atOnce.mock.calls.map(([{ label }]) => label)).toEqual([]);
    pipeline.dispose();
    vi.restoreAllMocks();
  },
);
