import { loadFixture, testKernel } from '../../../testing';
import { layerNorm, rmsNorm } from './layer-norm';

const layer = await loadFixture(new URL('./fixtures/layer-norm.safetensors', import.meta.url));
const rms = await loadFixture(new URL('./fixtures/rms-norm.safetensors', import.meta.url));

testKernel('layerNorm', layer, ({ x }, { weight, bias }, { eps }) =>
  layerNorm(x!, weight!, bias ?? null, { eps: Number(eps) }),
);
testKernel('rmsNorm', rms, ({ x }, { weight }, { eps }) => rmsNorm(x!, weight!, { eps: Number(eps) }));
