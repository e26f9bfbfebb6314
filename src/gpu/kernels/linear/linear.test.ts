import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import type { Activation } from '../activations/activations';
import { linear } from './linear';

const fixture = await loadFixture(new URL('./fixtures/linear.safetensors', import.meta.url));

const run: Parameters<typeof testKernel>[2] = ({ x }, { weight, bias }, { activation }) =>
  linear(x!, weight!, bias, activation as Activation | undefined);

testKernel('linear', fixture, run, gpuVariants(run));
