import type * as tf from '@tensorflow/tfjs-core';
import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import { upsampleConv2d } from './upsample-conv2d';

const fixture = await loadFixture(new URL('./fixtures/upsample-conv2d.safetensors', import.meta.url));

const run: Parameters<typeof testKernel>[2] = ({ x }, { weight, bias }) =>
  upsampleConv2d(x as tf.Tensor4D, weight!, bias);

testKernel('upsampleConv2d', fixture, run, {
  ...gpuVariants(run),
  'in four phases': {
    run: ({ x }, { weight, bias }) => upsampleConv2d(x as tf.Tensor4D, weight!, bias, 0),
  },
});
