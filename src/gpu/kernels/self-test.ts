/**
 * Drivers compile the same shader to different numbers now and then. Before a device is used, the kernels' variant
 * that its adapter asks for computes a small product, norm and attention beside plain loops; a variant that is wrong
 * is not used, and the one that was right is remembered by adapter, so that later visits start without the test.
 */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { createStore, get, set } from 'idb-keyval';
import { BackendUnavailableError } from '../../common/errors';
import { float16Bits } from '../../common/float16';
import { float16WeightTensor, type WeightTensor } from '../weight-tensor';
import { attention } from './attention/attention';
import { chooseVariant, type KernelVariant, variantFor, withVariant } from './common/kernel-variant';
import { groupNorm } from './group-norm/group-norm';
import { linear } from './linear/linear';

/** Raised when a kernel changes: what an earlier version found says nothing then. */
const VERSION = 1;
const TOLERANCE = 1e-3;

const ROWS = 70;
const WIDTH = 8;

/** What a self-test remembers; a Map in tests. */
export interface VariantMemory {
  get(key: string): Promise<KernelVariant | undefined>;
  set(key: string, variant: KernelVariant): Promise<void>;
}

/** IndexedDB where there is one. Without, or when it refuses, the test runs on every visit. */
function browserMemory(): VariantMemory {
  if (typeof indexedDB === 'undefined') return { get: async () => undefined, set: async () => {} };
  const store = createStore('tango-studio-kernels', 'variants');
  return {
    get: (key) => get<KernelVariant>(key, store).catch(() => undefined),
    set: (key, variant) => set(key, variant, store).catch(() => {}),
  };
}

/** Values between -1 and 1 that halves hold exactly. */
const pattern = (count: number, step: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => (((i * step) % 33) - 16) / 16);

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

interface Check {
  readonly run: () => tf.Tensor;
  readonly expected: readonly number[];
}

/** x W + b + x, with W in halves. */
function productCheck(): Check {
  const [x, w, b] = [pattern(ROWS * WIDTH, 7), pattern(WIDTH * WIDTH, 5), pattern(WIDTH, 3)];
  const expected = range(ROWS * WIDTH).map((at) => {
    const [row, column] = [Math.floor(at / WIDTH), at % WIDTH];
    return x[at]! + b[column]! + sum(range(WIDTH).map((k) => x[row * WIDTH + k]! * w[k * WIDTH + column]!));
  });
  const run = (): tf.Tensor => {
    const halves = float16WeightTensor(w.length, (target) => target.set(float16Bits(w)));
    const weight: WeightTensor = {
      name: 'self-test',
      shape: [WIDTH, WIDTH],
      dtype: 'float16',
      tensor: halves,
    };
    const bias: WeightTensor = { name: 'self-test', shape: [WIDTH], dtype: 'float32', tensor: tf.tensor(b) };
    const rows = tf.tensor(x, [ROWS, WIDTH]);
    return tf.add(linear(rows, weight, bias), rows);
  };
  return { run, expected };
}

function normCheck(): Check {
  const x = pattern(ROWS * WIDTH, 11);
  const groups = 2;
  const expected = range(ROWS * WIDTH).map((at) => {
    const group = Math.floor((at % WIDTH) / (WIDTH / groups));
    const members = [...x].filter((_, i) => Math.floor((i % WIDTH) / (WIDTH / groups)) === group);
    const mean = sum(members) / members.length;
    const variance = sum(members.map((value) => (value - mean) ** 2)) / members.length;
    return (x[at]! - mean) / Math.sqrt(variance + 1e-5);
  });
  const vector = (tensor: tf.Tensor): WeightTensor => ({
    name: 'self-test',
    shape: [WIDTH],
    dtype: 'float32',
    tensor,
  });
  const run = (): tf.Tensor =>
    groupNorm(tf.tensor(x, [1, ROWS, WIDTH]), vector(tf.ones([WIDTH])), vector(tf.zeros([WIDTH])), {
      groups,
      eps: 1e-5,
    });
  return { run, expected };
}

function attentionCheck(): Check {
  const [q, k, v] = [pattern(ROWS * WIDTH, 7), pattern(ROWS * WIDTH, 5), pattern(ROWS * WIDTH, 3)];
  const expected = range(ROWS).flatMap((row) => {
    const scores = range(ROWS).map((key) =>
      sum(range(WIDTH).map((d) => q[row * WIDTH + d]! * k[key * WIDTH + d]!)),
    );
    const powers = scores.map((score) => Math.exp(score));
    return range(WIDTH).map(
      (d) => sum(powers.map((power, key) => power * v[key * WIDTH + d]!)) / sum(powers),
    );
  });
  const heads = (values: Float32Array): tf.Tensor4D => tf.tensor4d(values, [1, 1, ROWS, WIDTH]);
  return { run: () => attention(heads(q), heads(k), heads(v), { scale: 1 }), expected };
}

/** Whether the variant gives the numbers that plain loops give. A shader that does not compile does not. */
async function isRight(variant: KernelVariant): Promise<boolean> {
  for (const { run, expected } of [productCheck(), normCheck(), attentionCheck()]) {
    const result = withVariant(variant, () => tf.tidy(run));
    const values = await result.data();
    result.dispose();
    if (!expected.every((value, i) => Math.abs(value - (values[i] ?? Number.NaN)) <= TOLERANCE)) return false;
  }
  return true;
}

/**
 * Chooses the kernels' variant for this backend, tfjs's current one.
 *
 * @returns the chosen variant
 * @throws BackendUnavailableError when no variant computes what it should
 */
export async function chooseKernels(
  backend: WebGPUBackend,
  { vendor, architecture, device, description }: GPUAdapterInfo,
  memory: VariantMemory = browserMemory(),
  check: (variant: KernelVariant) => Promise<boolean> = isRight,
): Promise<KernelVariant> {
  const key = [VERSION, vendor, architecture, device, description].join('/');
  const remembered = await memory.get(key);
  if (remembered) {
    chooseVariant(backend, remembered);
    return remembered;
  }
  const first = variantFor({ vendor, architecture, description });
  const second = first === 'tiles' ? 'registers' : 'tiles';
  for (const variant of [first, second, 'composed'] as const) {
    if (!(await check(variant))) continue;
    chooseVariant(backend, variant);
    await memory.set(key, variant);
    return variant;
  }
  throw new BackendUnavailableError(
    `Expected the GPU (${description || architecture || vendor}) to multiply small matrices as the processor does, got ` +
      'other numbers from every kernel. Update the graphics driver or choose WebAssembly.',
  );
}
