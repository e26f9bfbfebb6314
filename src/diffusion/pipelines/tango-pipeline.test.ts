import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { InvalidInputError, JobCancelledError, NonFiniteError } from '../../common/errors';
import { expectClose, forEachBackend, tinyTango } from '../../testing';
import type { TensorData } from '../tensor-layout';
import { type MelSpectrogram, TangoPipeline, type TangoStage } from './tango-pipeline';
import type { TangoRequest } from './tango-request';

const tiny = await tinyTango();
const reference = (name: string) => tiny.fixture.values(name);
const requestOf = (name: string): TangoRequest => ({ prompt: tiny.prompt, ...tiny.requests[name]! });

/** fp32, of the reference's RMS: one layer 1e-4; a model, a trajectory and the sound of it 1e-3. */
const MODEL = { relativeToRms: 1e-3 };

forEachBackend('TangoPipeline', () => {
  let pipeline: TangoPipeline;
  beforeAll(async () => {
    pipeline = await TangoPipeline.load(tiny.folder);
  });
  afterAll(() => pipeline.dispose());

  it('gives the same stages one by one', async () => {
    const request = requestOf('ddim');
    const text = await pipeline.encodeText([request.negativePrompt, request.prompt]);
    await expectClose(text.states, reference('ddim/text_states'), MODEL);

    const initial = reference('ddim/initial_latents');
    const { length } = initial.data;
    const sample: TensorData = {
      data: Float32Array.from({ length: 2 * length }, (_, i) => initial.data[i % length]!),
      shape: [2, ...initial.shape.slice(1)],
    };
    const input = { sample, textStates: text.states, textMask: text.mask };
    const together = await pipeline.predict({ ...input, timestep: 901 });
    const each = await pipeline.predict({ ...input, timestep: [901, 901] });
    await expectClose(each, together, { relativeToRms: 1e-5 });

    const latents = reference('ddim/latents');
    const last = { data: Float32Array.from(latents.data.slice(-length)), shape: initial.shape };
    const mel = await pipeline.decode(last);
    await expectClose(mel, reference('ddim/mel'), MODEL);
    await expectClose(await pipeline.vocode(mel), reference('ddim/waveform'), MODEL);
    const { data, shape } = reference('encode/mel');
    await expectClose(
      await pipeline.encode({ data: Float32Array.from(data), shape }),
      reference('encode/latents'),
      MODEL,
    );
  });

  it('says what a stage takes', async () => {
    const mel = (shape: number[]) => ({ data: new Float32Array(shape.reduce((a, b) => a * b)), shape });
    for (const job of [
      () => pipeline.encodeText([]),
      () => pipeline.vocode(mel([1, 2, 16, 16])),
      () => pipeline.vocode(mel([1, 1, 16, 8])),
      () => pipeline.decode(mel([1, 3, 4, 4])),
      () => pipeline.encode(mel([1, 2, 16, 16])),
      async () => pipeline.mel(mel([1, 1600])),
    ]) {
      await expect(job()).rejects.toBeInstanceOf(InvalidInputError);
    }
  });

  it('takes starting noise in place of the seed’s', async () => {
    const { data, shape } = reference('ddim/initial_latents');
    const latents = { data: Float32Array.from(data), shape };
    const { audio } = await pipeline.run({ ...requestOf('ddim'), seed: 99, latents });
    await expectClose(audio, { data: reference('ddim/waveform').data.slice(0, 1600), shape: [1600] }, MODEL);
  });

  it('reports stages and steps in order, and previews of the whole clip', async () => {
    const stages: [TangoStage, number][] = [];
    const previews: MelSpectrogram[] = [];
    await pipeline.run(requestOf('unguided'), {
      onStage: (stage, step) => stages.push([stage, step]),
      onPreview: (mel) => previews.push(mel),
    });
    expect(stages).toEqual([
      ['encode-text', 0],
      ['denoise', 0],
      ['denoise', 1],
      ['denoise', 2],
      ['denoise', 3],
      ['decode', 4],
      ['vocode', 4],
    ]);
    expect(previews.length).toBeGreaterThanOrEqual(1);
    expect(previews[0]).toMatchObject({ frames: 100, melBins: 16 });
    expect(previews[0]!.data).toHaveLength(1600);
  });

  it('stops within one pass of a cancellation', async () => {
    const abort = new AbortController();
    let passes = 0;
    const job = pipeline.run(requestOf('ddim'), {
      signal: abort.signal,
      onStage: (stage) => {
        if (stage !== 'denoise') return;
        passes += 1;
        if (passes === 3) abort.abort();
      },
    });
    await expect(job).rejects.toBeInstanceOf(JobCancelledError);
    expect(passes).toBe(3);
    await expect(pipeline.run(requestOf('ddim'), { signal: abort.signal })).rejects.toBeInstanceOf(
      JobCancelledError,
    );
  });

  it('computes the next step while it waits to hear of the one before, and of the last one too', async () => {
    const backend = tf.backend();
    const read = backend.read.bind(backend);
    let stepsBegun = 0;
    const begunWhenHeard: number[] = [];
    const reads = vi.spyOn(backend, 'read').mockImplementation(async (dataId) => {
      const asked = stepsBegun;
      // As a GPU's answer: it comes when the work is done, which is later than whatever is next here.
      if (asked > 0) await vi.waitUntil(() => stepsBegun > asked || asked === 4, { interval: 1 });
      if (asked > 0) begunWhenHeard[asked - 1] = stepsBegun - asked;
      return read(dataId);
    });
    try {
      await pipeline.run(requestOf('unguided'), {
        onStage: (stage) => {
          if (stage === 'denoise') stepsBegun += 1;
        },
      });
    } finally {
      reads.mockRestore();
    }
    expect(begunWhenHeard).toEqual([1, 1, 1, 0]);
  });

  it('names the stage that gave NaN', async () => {
    const latents = { data: new Float32Array(448).fill(3e38), shape: [1, 4, 28, 4] };
    await expect(pipeline.run({ ...requestOf('ddim'), latents })).rejects.toThrow(
      /Denoising step 1 of 10 \(timestep 901\)/,
    );
  });

  it.each([
    ['text_encoder', /^The text encoder gave NaN or infinity/],
    ['unet', /^Denoising step 1 of 10 .* gave NaN or infinity/],
    ['vae', /^The autoencoder’s decoder gave NaN or infinity/],
    ['vocoder', /^The vocoder gave NaN or infinity/],
  ] as const)('stops when %s gives NaN, and names the stage', async (part, message) => {
    const { parts } = pipeline as unknown as {
      parts: {
        plans: {
          component: string;
          model: Record<'forward' | 'decode', (...args: unknown[]) => tf.Tensor>;
        }[];
      };
    };
    const { model } = parts.plans.find(({ component }) => component === part)!;
    const method = part === 'vae' ? 'decode' : 'forward';
    const compute = model[method].bind(model);
    const broken = vi
      .spyOn(model, method)
      .mockImplementation((...args) => tf.tidy(() => tf.mul(compute(...args), Number.NaN)));
    const before = tf.memory().numTensors;
    try {
      const job = pipeline.run(requestOf('ddim'));
      await expect(job).rejects.toBeInstanceOf(NonFiniteError);
      await expect(job).rejects.toThrow(message);
    } finally {
      broken.mockRestore();
    }
    expect(tf.memory().numTensors).toBe(before);
  });

  it.each([
    ['durationSeconds', 0.5, /1 to 10.24/],
    ['durationSeconds', 11, /1 to 10.24/],
    ['durationSeconds', Number.NaN, /1 to 10.24/],
    ['steps', 0, /1 to 1000/],
    ['steps', 2.5, /whole number/],
    ['guidanceScale', 0.5, /1 to 20/],
    ['guidanceScale', Number.POSITIVE_INFINITY, /1 to 20/],
    ['seed', -1, /0 to 4294967295/],
    ['seed', 2 ** 32, /0 to 4294967295/],
    ['latents', { data: new Float32Array(8), shape: [1, 2, 2, 2] }, /\[1, 4, 28, 4\]/],
    ['latents', { data: new Float32Array(7), shape: [1, 4, 28, 4] }, /7 numbers/],
    ['latents', { data: new Float32Array(448).fill(Number.NaN), shape: [1, 4, 28, 4] }, /finite/],
  ])('refuses %s = %s and says what is accepted', async (field, value, message) => {
    const job = pipeline.run({ ...requestOf('ddim'), [field]: value });
    await expect(job).rejects.toBeInstanceOf(InvalidInputError);
    await expect(job).rejects.toThrow(message);
  });

  it('hears odd prompts: empty, 100,000 characters, lone surrogates, special tokens', async () => {
    for (const prompt of ['', 'a dog '.repeat(16_667), '\ud83d', '</s><pad>🐶']) {
      const { audio, truncated } = await pipeline.run({ ...requestOf('unguided'), prompt, steps: 1 });
      expect(audio).toHaveLength(1600);
      expect(truncated).toBe(prompt.length > 1000);
    }
  });
});
