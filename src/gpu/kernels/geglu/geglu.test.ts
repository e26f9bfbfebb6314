import { loadFixture, testKernel } from '../../../testing';
import { geglu } from './geglu';

const fixture = await loadFixture(new URL('./fixtures/geglu.safetensors', import.meta.url));

testKernel('geglu', fixture, ({ x }) => geglu(x!));
