import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import { forEachBackend } from '../../testing';
import type { WeightTensor } from '../weight-tensor';
import {
  attention,
  conv1d,
  conv2d,
  convTranspose1d,
  embedding,
  geglu,
  groupNorm,
  layerNorm,
  linear,
  rmsNorm,
} from '.';

const weight = (shape: number[]): WeightTensor => ({
  name: 'w',
  shape,
  dtype: 'float32',
  tensor: tf.zeros(shape),
});
const zeros = <R extends tf.Rank>(...shape: number[]): tf.Tensor<R> => tf.zeros(shape as tf.ShapeMap[R]);

/** What an op says of operands that do not fit, before the backend sees them. */
const refusals: readonly [title: string, run: () => unknown, message: string][] = [
  ['linear: width', () => linear(zeros(2, 5), weight([4, 3])), 'linear w: x should be [..., 4], got [2, 5].'],
  [
    'conv2d: channels',
    () => conv2d(zeros(1, 4, 4, 2), weight([3, 3, 3, 1])),
    'conv2d w: x should be [B, H, W, 3], got [1, 4, 4, 2].',
  ],
  [
    'conv2d: too small',
    () => conv2d(zeros(1, 2, 4, 3), weight([3, 3, 3, 1])),
    'conv2d w: H with its padding should be at least the 3 that the filter reaches over, got 2 + 0 + 0.',
  ],
  [
    'conv1d: channels',
    () => conv1d(zeros(1, 4, 2), weight([3, 3, 1])),
    'conv1d w: x should be [B, T, 3], got [1, 4, 2].',
  ],
  [
    'conv1d: too short',
    () => conv1d(zeros(1, 4, 3), weight([3, 3, 1]), null, { dilation: 2 }),
    'conv1d w: T with its padding should be at least the 5 that the filter reaches over, got 4 + 0 + 0.',
  ],
  [
    'convTranspose1d: channels',
    () => convTranspose1d(zeros(1, 4, 2), weight([4, 3, 1]), null, { stride: 2, padding: 1 }),
    'convTranspose1d w: x should be [B, T, 3], got [1, 4, 2].',
  ],
  [
    'convTranspose1d: nothing left',
    () => convTranspose1d(zeros(1, 1, 3), weight([2, 3, 1]), null, { stride: 2, padding: 1 }),
    'convTranspose1d w: x should be long enough for one output sample, got T = 1.',
  ],
  [
    'groupNorm: channels',
    () => groupNorm(zeros(1, 4, 6), weight([8]), weight([8]), { groups: 2, eps: 1e-5 }),
    'groupNorm w: x should be [..., 8], got [1, 4, 6].',
  ],
  [
    'groupNorm: groups',
    () => groupNorm(zeros(1, 4, 6), weight([6]), weight([6]), { groups: 4, eps: 1e-5 }),
    'groupNorm w: groups should divide the 6 channels, got 4.',
  ],
  [
    'layerNorm: width',
    () => layerNorm(zeros(2, 5), weight([4]), null, { eps: 1e-5 }),
    'layerNorm w: x should be [..., 4], got [2, 5].',
  ],
  [
    'rmsNorm: width',
    () => rmsNorm(zeros(2, 5), weight([4]), { eps: 1e-5 }),
    'rmsNorm w: x should be [..., 4], got [2, 5].',
  ],
  [
    'attention: keys of another width',
    () => attention(zeros(1, 2, 3, 4), zeros(1, 2, 5, 6), zeros(1, 2, 5, 4), { scale: 1 }),
    'attention: k should be [1, 2, S, 4], got [1, 2, 5, 6].',
  ],
  [
    'attention: fewer values than keys',
    () => attention(zeros(1, 2, 3, 4), zeros(1, 2, 5, 4), zeros(1, 2, 3, 4), { scale: 1 }),
    'attention: v should be [1, 2, 5, Dv], got [1, 2, 3, 4].',
  ],
  [
    'attention: bias',
    () => attention(zeros(1, 2, 3, 4), zeros(1, 2, 5, 4), zeros(1, 2, 5, 4), { scale: 1, bias: zeros(3, 3) }),
    'attention: bias should broadcast to [1, 2, 3, 5], got [3, 3].',
  ],
  ['geglu: odd width', () => geglu(zeros(2, 5)), 'geglu: x should be [..., 2 D], got a last axis of 5.'],
  [
    'embedding: float ids',
    () => embedding(zeros(2), weight([4, 3])),
    'embedding w: ids should be int32, got float32.',
  ],
];

forEachBackend('operands that do not fit', (backend) => {
  it.each(refusals)('%s', (_, run, message) => {
    tf.tidy(() => {
      expect(run).toThrow(new InvalidInputError(message));
    });
  });

  if (backend === 'webgpu') {
    it('a float16 weight cannot be differentiated', () => {
      tf.tidy(() => {
        const tensor = tf.zeros([2], 'int32');
        const gradient = tf.grad((words: tf.Tensor) =>
          linear(zeros(1, 2), { name: 'w', shape: [2, 2], dtype: 'float16', tensor: words }),
        );
        expect(() => gradient(tensor)).toThrow(/float32 weight to differentiate, "w" is float16/);
      });
    });
  }

  it('an item without positions or rows is no error', () => {
    tf.tidy(() => {
      expect(linear(zeros(0, 4), weight([4, 3])).shape).toEqual([0, 3]);
    });
  });
});
