import type * as tf from '@tensorflow/tfjs-core';
import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import { onWasm } from '../common/mat-mul';
import { attention } from './attention';

const fixture = await loadFixture(new URL('./fixtures/attention.safetensors', import.meta.url));

type Run = Parameters<typeof testKernel>[2];

const attendWithin =
  (maxScoresBytes: () => number | undefined): Run =>
  ({ q, k, v, bias }, _, { scale }) =>
    attention(
      q as tf.Tensor4D,
      k as tf.Tensor4D,
      v as tf.Tensor4D,
      { scale: Number(scale), bias },
      maxScoresBytes(),
    );

testKernel(
  'attention',
  fixture,
  attendWithin(() => undefined),
  {
    ...gpuVariants(attendWithin(() => undefined)),
    'in blocks of queries': {
      // Two rows of 6 keys, of one head on wasm and of 6 heads on WebGPU: several blocks, the last one a rest.
      run: attendWithin(() => (onWasm() ? 48 : 300)),
      cases: ['cross', 'a mask for each item', 'a bias for each score'],
    },
  },
);
