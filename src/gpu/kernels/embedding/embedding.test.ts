import * as tf from '@tensorflow/tfjs-core';
import { loadFixture, testKernel } from '../../../testing';
import { embedding } from './embedding';

const fixture = await loadFixture(new URL('./fixtures/embedding.safetensors', import.meta.url));

testKernel('embedding', fixture, (_, { weight }, { ids }) =>
  tf.tidy(() => embedding(tf.tensor(ids as number[], undefined, 'int32'), weight!)),
);
