import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectClose, expectNoLeak, startBackend } from '../../../testing';
import { recordPrograms } from '../../planning/recorder';
import type { WeightTensor } from '../../weight-tensor';
import { attention, conv2d, groupNorm, layerNorm, linear, silu } from '..';
import { withVariant } from './kernel-variant';

const drawn = <R extends tf.Rank>(seed: number, ...shape: number[]): tf.Tensor<R> =>
  tf.randomNormal(shape as tf.ShapeMap[R], 0, 1, 'float32', seed);
const weight = (seed: number, ...shape: number[]): WeightTensor => ({
  name: 'w',
  shape,
  dtype: 'float32',
  tensor: drawn(seed, ...shape),
});

/** A residual block and an attention in little: all that is fused, written as models write it. */
const compositions: Readonly<Record<string, { programs: readonly string[]; run: () => tf.Tensor }>> = {
  'a convolution, a vector for each item, a residual': {
    programs: ['ProductProgram'],
    run: () => {
      const convolved = conv2d(drawn(1, 2, 4, 3, 8), weight(2, 3, 3, 8, 12), weight(3, 12), { padding: 1 });
      return tf.add(drawn(5, 2, 4, 3, 12), tf.add(convolved, tf.reshape(drawn(4, 2, 12), [2, 1, 1, 12])));
    },
  },
  'a product and an activation': {
    programs: ['ProductProgram'],
    run: () => silu(linear(drawn(1, 12, 8), weight(2, 8, 4), weight(3, 4))),
  },
  'a norm and an activation': {
    programs: ['GroupNormProgram'],
    run: () =>
      groupNorm(drawn(1, 2, 9, 8), weight(2, 8), weight(3, 8), { groups: 2, eps: 1e-5, activation: 'silu' }),
  },
  "the gradient of a norm and an activation, and the residual's": {
    programs: ['GroupNormGradientProgram'],
    run: () => {
      const [scale, shift] = [weight(2, 8), weight(3, 8)];
      const options = { groups: 2, eps: 1e-5, activation: 'silu' } as const;
      const gradient = tf.grad((x) => groupNorm(x, scale, shift, options));
      return tf.add(drawn(4, 2, 9, 8), gradient(drawn(1, 2, 9, 8), drawn(5, 2, 9, 8)));
    },
  },
  "the gradient of a layer norm, and the residual's": {
    // The result itself is computed, though nobody asks for it.
    programs: ['RowNormProgram', 'RowNormGradientProgram'],
    run: () => {
      const [scale, shift] = [weight(2, 8), weight(3, 8)];
      const gradient = tf.grad((x) => layerNorm(x, scale, shift, { eps: 1e-5 }));
      return tf.add(gradient(drawn(1, 6, 8), drawn(5, 6, 8)), drawn(4, 6, 8));
    },
  },
  'attention between transposes': {
    programs: ['AttentionProgram'],
    run: () => {
      const heads = (seed: number, length: number): tf.Tensor4D =>
        tf.transpose(drawn<tf.Rank.R4>(seed, 2, length, 3, 8), [0, 2, 1, 3]);
      return tf.transpose(attention(heads(1, 5), heads(2, 7), heads(3, 7), { scale: 0.5 }), [0, 2, 1, 3]);
    },
  },
};

describe('results that wait', () => {
  beforeAll(() => startBackend('webgpu'));

  const read = async (x: tf.Tensor): Promise<{ shape: readonly number[]; data: Float32Array }> => {
    const result = { shape: x.shape, data: Float32Array.from(await x.data()) };
    x.dispose();
    return result;
  };

  it.each(Object.entries(compositions))(
    '%s: a dispatch of its own programs, the same numbers, nothing left',
    async (_, composition) => {
      const expected = await read(withVariant('composed', () => tf.tidy(composition.run)));
      for (const variant of ['tiles', 'registers'] as const) {
        const run = (): tf.Tensor => withVariant(variant, () => tf.tidy(composition.run));
        await read(run());
        const recorder = recordPrograms(tf.backend() as WebGPUBackend);
        const values = await read(run());
        expect(Object.keys(recorder.stop().programs)).toEqual(composition.programs);
        await expectClose(values, expected, { relativeToRms: 1e-4, label: variant });
        await expectNoLeak(async () => void (await read(run())));
      }
    },
  );

  it('keeps what it needs when the operands are disposed, and serves two readers', async () => {
    const x = drawn<tf.Rank.R2>(1, 5, 8);
    const w = weight(2, 8, 4);
    const expected = await read(withVariant('composed', () => linear(x, w)));
    const y = withVariant('registers', () => linear(x, w));
    const doubled = tf.add(y, y);
    const shifted = tf.add(y, tf.ones([5, 4]));
    tf.dispose([x, w.tensor]);
    const twice = { ...expected, data: expected.data.map((value) => 2 * value) };
    const oneMore = { ...expected, data: expected.data.map((value) => value + 1) };
    await expectClose(await read(shifted), oneMore, { relativeToRms: 1e-4, label: 'shifted' });
    await expectClose(await read(y), expected, { relativeToRms: 1e-4, label: 'y' });
    await expectClose(await read(doubled), twice, { relativeToRms: 1e-4, label: 'doubled' });
  });
});
