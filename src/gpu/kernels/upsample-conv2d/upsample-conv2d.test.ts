import type * as tf from '@tensorflow/tfjs-core';
import { loadFixture, testKernel } from '../../../testing';
import { upsampleConv2d } from './upsample-conv2d';

const fixture = await loadFixture(new URL('./fixtures/upsample-conv2d.safetensors', import.meta.url));

testKernel(
  'upsampleConv2d',
  fixture,
  ({ x }, { weight, bias }) => upsampleConv2d(x as tf.Tensor4D, weight!, bias),
  {
    'in four phases': {
      run: ({ x }, { weight, bias }) => upsampleConv2d(x as tf.Tensor4D, weight!, bias, 0),
    },
  },
);
