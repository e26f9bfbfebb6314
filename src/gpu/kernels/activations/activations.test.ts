import type * as tf from '@tensorflow/tfjs-core';
import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import { gelu, geluNew, leakyRelu, relu, silu, tanh } from './activations';

const fixture = await loadFixture(new URL('./fixtures/activations.safetensors', import.meta.url));

const activations: Readonly<Record<string, (x: tf.Tensor) => tf.Tensor>> = {
  silu,
  gelu,
  gelu_new: geluNew,
  relu,
  tanh,
  'leaky_relu_0.1': (x) => leakyRelu(x, 0.1),
  'leaky_relu_0.01': (x) => leakyRelu(x, 0.01),
};

const run: Parameters<typeof testKernel>[2] = ({ x }, _, { activation }) =>
  activations[String(activation)]!(x!);

testKernel('activations', fixture, run, gpuVariants(run));
