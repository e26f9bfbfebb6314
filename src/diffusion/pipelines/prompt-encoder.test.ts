import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { JobCancelledError } from '../../common/errors';
import { countedReads, expectClose, forEachBackend, tinyTango } from '../../testing';
import { type TangoHooks, TangoPipeline } from './tango-pipeline';
import type { TangoRequest } from './tango-request';

const tiny = await tinyTango();
const requestOf = (name: string): TangoRequest => ({ prompt: tiny.prompt, ...tiny.requests[name]! });

forEachBackend('Where memory is short', () => {
  it('a clip longer than a tile of the vocoder sounds the same', async () => {
    const request = { ...requestOf('short'), steps: 2, durationSeconds: 3.5 };
    const resident = await TangoPipeline.load(tiny.folder);
    const whole = await resident.run(request);
    resident.dispose();
    const pipeline = await TangoPipeline.load(tiny.folder, { residentBytes: 0 });
    const before = tf.memory().numTensors;
    const inPieces = await pipeline.run(request);
    expect(inPieces.mel).toEqual(whole.mel);
    // The same sums; kernels may add them in another order for another length.
    await expectClose(
      inPieces.audio,
      { shape: [whole.audio.length], data: whole.audio },
      { relativeToRms: 1e-5 },
    );
    expect(tf.memory().numTensors).toBeLessThanOrEqual(before);
    pipeline.dispose();
  });
});

forEachBackend('A text encoder that leaves while the UNet runs', () => {
  it('comes back for another prompt only, and changes no sound', async () => {
    const { folder, reads } = countedReads(tiny.folder);
    const resident = await TangoPipeline.load(tiny.folder);
    const pipeline = await TangoPipeline.load(folder, { residentBytes: 0 });
    const textReads = () => reads('text_encoder');
    const once = textReads();
    const loaded = tf.memory().numBytes;
    let whileDenoising = Number.POSITIVE_INFINITY;
    const { bytes } = pipeline.components[0]!;
    const hooks: TangoHooks = {
      onStage: (stage) => {
        if (stage === 'decode') whileDenoising = Math.min(whileDenoising, tf.memory().numBytes);
      },
    };
    const request = requestOf('short');
    const first = await pipeline.run(request, hooks);
    expect(whileDenoising).toBeLessThan(loaded - bytes / 2);
    expect(first.audio).toEqual((await resident.run(request)).audio);
    expect((await pipeline.run({ ...request, seed: 5 })).audio).toEqual(
      (await resident.run({ ...request, seed: 5 })).audio,
    );
    expect((await pipeline.run(request)).audio).toEqual(first.audio);
    expect(textReads()).toBe(once);

    const other = { ...request, prompt: 'rain' };
    expect((await pipeline.run(other)).audio).toEqual((await resident.run(other)).audio);
    expect(textReads()).toBe(2 * once);
    expect((await pipeline.encodeText(['rain'])).states).toEqual(
      (await resident.encodeText(['rain'])).states,
    );
    expect(pipeline.components[0]!.bytes).toBe(bytes);

    const cancelled = new AbortController();
    cancelled.abort(new JobCancelledError('The job was cancelled.'));
    await expect(
      pipeline.run({ ...request, prompt: 'a dog' }, { signal: cancelled.signal }),
    ).rejects.toThrow();
    await pipeline.run(request);
    const before = tf.memory().numTensors;
    await pipeline.run(other);
    expect(tf.memory().numTensors).toBe(before);
    resident.dispose();
    pipeline.dispose();
  });
});
