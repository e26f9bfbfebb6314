/**
 * Drivers compile the same shader to different numbers now and then. Before a device is used, the kernels that its
 * adapter and its features ask for compute small products, norms and attention beside plain loops
 * (self-test-checks.ts); what is wrong is not used, and the choice that was right is remembered by adapter, so that
 * later visits start without the test.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { createStore, get, set } from 'idb-keyval';
import { BackendUnavailableError } from '../../common/errors';
import {
  CORE_WGSL,
  chooseVariant,
  featuresOf,
  type KernelChoice,
  type ShaderFeatures,
  variantFor,
  withVariant,
} from './common/kernel-variant';
import { kernelChecks } from './self-test-checks';

/** Raised when a kernel changes: what an earlier version found says nothing then. */
const VERSION = 3;
const TOLERANCE = 1e-3;

/** What a self-test remembers; a Map in tests. */
export interface VariantMemory {
  get(key: string): Promise<KernelChoice | undefined>;
  set(key: string, choice: KernelChoice): Promise<void>;
}

/** IndexedDB where there is one. Without, or when it refuses, the test runs on every visit. */
function browserMemory(): VariantMemory {
  if (typeof indexedDB === 'undefined') return { get: async () => undefined, set: async () => {} };
  const store = createStore('tango-studio-kernels', 'variants');
  return {
    get: (key) => get<KernelChoice>(key, store).catch(() => undefined),
    set: (key, choice) => set(key, choice, store).catch(() => {}),
  };
}

/** Whether the kernels give the numbers that plain loops give. A shader that does not compile does not. */
async function isRight({ variant, features }: KernelChoice): Promise<boolean> {
  for (const { run, expected } of kernelChecks()) {
    const result = withVariant(variant, () => tf.tidy(run), features);
    const values = await result.data();
    result.dispose();
    if (!expected.every((value, i) => Math.abs(value - (values[i] ?? Number.NaN)) <= TOLERANCE)) return false;
  }
  return true;
}

/** What to try, best first: the adapter's form with all its features, with fewer, the other form, tfjs's programs. */
function candidates(adapter: Partial<GPUAdapterInfo>, has: ShaderFeatures): readonly KernelChoice[] {
  const first = variantFor(adapter);
  const subsets: readonly ShaderFeatures[] = [
    has,
    { ...has, subgroups: false },
    { ...has, f16: false },
    CORE_WGSL,
  ];
  const distinct = subsets.filter(
    (one, at) =>
      subsets.findIndex(({ f16, subgroups }) => f16 === one.f16 && subgroups === one.subgroups) === at,
  );
  const forms = [first, first === 'tiles' ? 'registers' : 'tiles'] as const;
  return [
    ...forms.flatMap((variant) => distinct.map((features) => ({ variant, features }))),
    { variant: 'composed', features: CORE_WGSL },
  ];
}

/**
 * Chooses the kernels for this backend, tfjs's current one.
 *
 * @returns the choice
 * @throws BackendUnavailableError when no kernels compute what they should
 */
export async function chooseKernels(
  backend: WebGPUBackend,
  { vendor, architecture, device, description }: GPUAdapterInfo,
  memory: VariantMemory = browserMemory(),
  check: (choice: KernelChoice) => Promise<boolean> = isRight,
): Promise<KernelChoice> {
  const has = featuresOf(backend.device);
  const key = [VERSION, vendor, architecture, device, description, has.f16, has.subgroups].join('/');
  const remembered = await memory.get(key);
  if (remembered) {
    chooseVariant(backend, remembered);
    return remembered;
  }
  for (const choice of candidates({ vendor, architecture, description }, has)) {
    if (!(await check(choice))) continue;
    chooseVariant(backend, choice);
    await memory.set(key, choice);
    return choice;
  }
  throw new BackendUnavailableError(
    `Expected the GPU (${description || architecture || vendor}) to multiply small matrices as the processor does, got ` +
      'other numbers from every kernel. Update the graphics driver or choose WebAssembly.',
  );
}
