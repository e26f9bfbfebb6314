import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { modulesText } from './build.mjs';

it('the compiled kernels are those of the sources (else: node tools/wasm-kernels/build.mjs)', async () => {
  const committed = readFileSync(new URL('../../src/gpu/wasm-kernels/modules.ts', import.meta.url), 'utf8');
  expect((await modulesText()) === committed).toBe(true);
});
