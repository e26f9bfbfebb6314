import { gpuVariants, loadFixture, testKernel } from '../../../testing';
import { geglu } from './geglu';

const fixture = await loadFixture(new URL('./fixtures/geglu.safetensors', import.meta.url));

const run: Parameters<typeof testKernel>[2] = ({ x }) => geglu(x!);

testKernel('geglu', fixture, run, gpuVariants(run));
