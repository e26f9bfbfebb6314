import type * as tf from '@tensorflow/tfjs-core';
import { loadFixture, testKernel } from '../../../testing';
import { upsampleNearest2x } from './upsample-nearest';

const fixture = await loadFixture(new URL('./fixtures/upsample-nearest.safetensors', import.meta.url));

testKernel('upsampleNearest2x', fixture, ({ x }, _, { outputSize }) =>
  upsampleNearest2x(x as tf.Tensor4D, outputSize as [number, number] | undefined),
);
