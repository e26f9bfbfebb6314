import type * as tf from '@tensorflow/tfjs-core';
import { loadFixture, testKernel } from '../../../testing';
import { type Conv1dOptions, conv1d } from './conv1d';

const fixture = await loadFixture(new URL('./fixtures/conv1d.safetensors', import.meta.url));

testKernel('conv1d', fixture, ({ x }, { weight, bias }, options) =>
  conv1d(x as tf.Tensor3D, weight!, bias, options as Conv1dOptions),
);
