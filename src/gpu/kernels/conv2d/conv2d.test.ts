import type * as tf from '@tensorflow/tfjs-core';
import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import { type Conv2dOptions, conv2d } from './conv2d';

const fixture = await loadFixture(new URL('./fixtures/conv2d.safetensors', import.meta.url));

const run: Parameters<typeof testKernel>[2] = ({ x }, { weight, bias }, options) =>
  conv2d(x as tf.Tensor4D, weight!, bias, options as Conv2dOptions);

testKernel('conv2d', fixture, run, gpuVariants(run));
