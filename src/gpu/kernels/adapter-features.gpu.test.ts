import { expect, it } from 'vitest';
import { featuresOf } from './common/kernel-variant';

const inBrowser = typeof window !== 'undefined';

// `gpuVariants` tests what the adapter can run. What that has to be is here, so that a lesser adapter is a failure.
it(`has an adapter with ${inBrowser ? 'subgroups' : 'shader-f16 and subgroups'}`, async () => {
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter).not.toBeNull();
  expect(featuresOf(adapter!)).toMatchObject(
    inBrowser ? { subgroups: true } : { f16: true, subgroups: true },
  );
});
