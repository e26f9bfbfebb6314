import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { ParameterRoot } from '../../nn';
import { loadFixture, randomStateDict, startBackend } from '../../testing';
import { contextFrames, parseHifiGanConfig } from './config';
import { HifiGan } from './hifi-gan';
import { hifiGanStateDict } from './key-map';

/** Tiling rests on this: which mel frames a frame's samples depend on. The gradient says it to the last tap. */
it('the samples of a frame depend on contextFrames on each side, and on no more', async () => {
  await startBackend('wasm');
  const fixture = await loadFixture(new URL('./fixtures/tango-tiny.safetensors', import.meta.url));
  const config = parseHifiGanConfig(fixture.metadata('config'));
  const root = new ParameterRoot();
  const model = new HifiGan(config, root.scope);
  const weights = randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'));
  await root.load(hifiGanStateDict(weights, config));

  const context = contextFrames(config);
  const middle = context + 2;
  const frames = 2 * middle + 1;
  const gradient = tf.tidy(() => {
    const samplesOfMiddle = (mel: tf.Tensor): tf.Tensor =>
      tf.sum(tf.slice(model.forward(mel as tf.Tensor3D), [0, middle * 160], [1, 160]));
    return tf.sum(tf.abs(tf.grad(samplesOfMiddle)(tf.zeros([1, frames, 64]))), [0, 2]); // [frames]
  });
  const reached = [...(await gradient.data())].flatMap((value, frame) =>
    value === 0 ? [] : [frame - middle],
  );
  expect(reached[0]).toBeGreaterThanOrEqual(-context);
  expect(reached.at(-1)).toBeLessThanOrEqual(context);
  // The bound rounds up at every rate, so the reach may be a little less.
  expect(Math.max(-reached[0]!, reached.at(-1)!)).toBeGreaterThanOrEqual(context - 2);
  gradient.dispose();
  root.dispose();
});
