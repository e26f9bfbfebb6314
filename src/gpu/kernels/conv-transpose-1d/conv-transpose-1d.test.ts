import type * as tf from '@tensorflow/tfjs-core';
import { loadFixture, testKernel } from '../../../testing';
import { type ConvTranspose1dOptions, convTranspose1d } from './conv-transpose-1d';

const fixture = await loadFixture(new URL('./fixtures/conv-transpose-1d.safetensors', import.meta.url));

testKernel('convTranspose1d', fixture, ({ x }, { weight, bias }, options) =>
  convTranspose1d(x as tf.Tensor3D, weight!, bias, options as unknown as ConvTranspose1dOptions),
);
