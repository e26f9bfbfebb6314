import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import { type GroupNormOptions, groupNorm } from './group-norm';

const fixture = await loadFixture(new URL('./fixtures/group-norm.safetensors', import.meta.url));

const run: Parameters<typeof testKernel>[2] = ({ x }, { weight, bias }, options) =>
  groupNorm(x!, weight!, bias!, options as unknown as GroupNormOptions);

testKernel('groupNorm', fixture, run, gpuVariants(run));
