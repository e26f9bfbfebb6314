import type * as tf from '@tensorflow/tfjs-core';
import { loadFixture, testKernel } from '../../../testing';
import { type Conv2dOptions, conv2d } from './conv2d';

const fixture = await loadFixture(new URL('./fixtures/conv2d.safetensors', import.meta.url));

testKernel('conv2d', fixture, ({ x }, { weight, bias }, options) =>
  conv2d(x as tf.Tensor4D, weight!, bias, options as Conv2dOptions),
);
