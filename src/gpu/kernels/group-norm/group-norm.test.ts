import { loadFixture, testKernel } from '../../../testing';
import { type GroupNormOptions, groupNorm } from './group-norm';

const fixture = await loadFixture(new URL('./fixtures/group-norm.safetensors', import.meta.url));

testKernel('groupNorm', fixture, ({ x }, { weight, bias }, options) =>
  groupNorm(x!, weight!, bias!, options as unknown as GroupNormOptions),
);
