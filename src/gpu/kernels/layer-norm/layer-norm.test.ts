import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import { layerNorm, rmsNorm } from './layer-norm';

const layer = await loadFixture(new URL('./fixtures/layer-norm.safetensors', import.meta.url));
const rms = await loadFixture(new URL('./fixtures/rms-norm.safetensors', import.meta.url));

type Run = Parameters<typeof testKernel>[2];

const runLayerNorm: Run = ({ x }, { weight, bias }, { eps }) =>
  layerNorm(x!, weight!, bias ?? null, { eps: Number(eps) });
const runRmsNorm: Run = ({ x }, { weight }, { eps }) => rmsNorm(x!, weight!, { eps: Number(eps) });

testKernel('layerNorm', layer, runLayerNorm, gpuVariants(runLayerNorm));
testKernel('rmsNorm', rms, runRmsNorm, gpuVariants(runRmsNorm));
