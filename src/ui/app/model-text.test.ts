import { expect, it } from 'vitest';
import type { EngineInfo } from '../../engine/protocol';
import { backendText } from './model-text';

it.each([
  [{ vendor: 'apple', architecture: 'metal-3', description: 'Apple M3' }, 'WebGPU on Apple M3'],
  [{ vendor: 'nvidia', architecture: 'ampere', description: '' }, 'WebGPU on nvidia ampere'],
  [{ vendor: 'intel', architecture: '', description: '' }, 'WebGPU on intel'],
  [{ vendor: '', architecture: '', description: '' }, 'WebGPU'],
  [null, 'WebGPU'],
])('names the adapter as far as the browser tells it: %o', (adapter, text) => {
  expect(backendText({ backend: 'webgpu', adapter, wasm: { simd: true, threads: 1 } } as EngineInfo)).toBe(
    text,
  );
});

it('counts the threads of WebAssembly', () => {
  const info = { backend: 'wasm', adapter: null, wasm: { simd: true, threads: 2 } } as EngineInfo;
  expect(backendText(info)).toBe('WebAssembly, 2 threads');
});
