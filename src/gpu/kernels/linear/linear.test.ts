import { loadFixture, testKernel } from '../../../testing';
import type { Activation } from '../activations/activations';
import { linear } from './linear';

const fixture = await loadFixture(new URL('./fixtures/linear.safetensors', import.meta.url));

testKernel('linear', fixture, ({ x }, { weight, bias }, { activation }) =>
  linear(x!, weight!, bias, activation as Activation | undefined),
);
