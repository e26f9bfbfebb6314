import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { attention, conv2d, geglu, groupNorm, layerNorm, linear, silu } from '../kernels';
import { repetitionOf } from '../kernels/common/wasm-shapes';
import type { WeightTensor } from '../weight-tensor';
import { KERNEL_MODULES } from './modules';
import { wasmKernels } from './wasm-kernels';

const weightOf = (tensor: tf.Tensor): WeightTensor => ({
  name: 'weight',
  shape: tensor.shape,
  dtype: 'float32',
  tensor,
});

const weight = (...shape: number[]): WeightTensor => weightOf(tf.randomNormal(shape));

describe('the kernels on the backend heap', () => {
  beforeAll(async () => {
    await tf.setBackend('wasm');
  });

  it('are there on the backend that tfjs opens in Node', () => {
    expect(wasmKernels()).not.toBeNull();
  });

  it('free packed weights with the weights', () => {
    const before = wasmKernels()!.packedCount;
    const w = weight(12, 20);
    const x = tf.ones([3, 12]);
    linear(x, w).dispose();
    linear(x, w).dispose();
    expect(wasmKernels()!.packedCount).toBe(before + 1);
    tf.dispose([x, w.tensor]);
    expect(wasmKernels()!.packedCount).toBe(before);
  });

  it('hand NaN and infinities on, so that a broken pass is noticed', async () => {
    const broken = async (y: tf.Tensor): Promise<boolean> => !(await y.data()).every(Number.isFinite);
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      const x = tf.buffer([1, 2, 4, 16], 'float32', new Float32Array(128).fill(0.5));
      x.set(value, 0, 1, 2, 9);
      const image = x.toTensor() as tf.Tensor4D;
      const rows = tf.reshape(image, [8, 16]);
      const one = weightOf(tf.ones([16]));
      expect(await broken(conv2d(image, weight(3, 3, 16, 8), null, { padding: 1 }))).toBe(true);
      expect(await broken(linear(rows, weight(16, 8)))).toBe(true);
      expect(await broken(groupNorm(image, one, one, { groups: 4, eps: 1e-5, activation: 'silu' }))).toBe(
        true,
      );
      expect(await broken(layerNorm(rows, one, null, { eps: 1e-5 }))).toBe(true);
      expect(await broken(geglu(rows))).toBe(true);
      expect(await broken(silu(rows))).toBe(true);
      const heads = tf.reshape(image, [1, 1, 8, 16]) as tf.Tensor4D;
      expect(await broken(attention(heads, heads, heads, { scale: 1 }))).toBe(true);
      expect(await broken(tf.add(rows, tf.ones([16])))).toBe(true);
    }
  });

  it('leave keys out whose bias is -Infinity, a whole chunk of them too, and give NaN where none is left', async () => {
    const keys = 200;
    const [q, k, v] = [9, keys, keys].map((rows) => tf.randomNormal([1, 1, rows, 8]) as tf.Tensor4D) as [
      tf.Tensor4D,
      tf.Tensor4D,
      tf.Tensor4D,
    ];
    const bias = (last: number): tf.Tensor =>
      tf.tensor([...Array<number>(keys - 1).fill(Number.NEGATIVE_INFINITY), last], [1, 1, 1, keys]);
    const one = await attention(q, k, v, { scale: 1, bias: bias(0) }).data();
    const last = (await v.data()).slice(-8);
    for (let i = 0; i < one.length; i += 1) expect(one[i]).toBeCloseTo(last[i % 8]!, 6);
    const none = await attention(q, k, v, { scale: 1, bias: bias(Number.NEGATIVE_INFINITY) }).data();
    expect(none.every(Number.isNaN)).toBe(true);
  });
});

describe('sums, transposes and joins', () => {
  it.each([
    [[2, 3, 4, 8], [2, 1, 1, 8], { run: 8, each: 12, rows: 2 }],
    [[2, 3, 8], [8], { run: 8, each: 6, rows: 1 }],
    [[2, 3, 8], [2, 3, 8], { run: 48, each: 1, rows: 1 }],
    [[2, 3, 8], [1, 3, 1], null],
  ])('%j + %j repeats as %j', (large, small, expected) => {
    expect(repetitionOf(large, small)).toEqual(expected);
  });

  it('give what JavaScript gives', async () => {
    const shape = [2, 3, 4, 5];
    const values = Array.from({ length: 120 }, (_, i) => i);
    const x = tf.tensor(values, shape);
    const at = (b: number, i: number, j: number, d: number): number => ((b * 3 + i) * 4 + j) * 5 + d;

    const swapped = await tf.transpose(x, [0, 2, 1, 3]).data();
    const joined = await tf.concat([x, tf.neg(x)], 3).data();
    const sum = await tf
      .add(x, tf.tensor([100, 200, 300, 400, 500, 600, 700, 800, 900, 1000], [2, 1, 1, 5]))
      .data();
    for (const b of [0, 1]) {
      for (const i of [0, 1, 2]) {
        for (const j of [0, 1, 2, 3]) {
          for (const d of [0, 1, 2, 3, 4]) {
            const here = at(b, i, j, d);
            expect(swapped[((b * 4 + j) * 3 + i) * 5 + d]).toBe(here);
            expect(joined[((b * 3 + i) * 4 + j) * 10 + d]).toBe(here);
            expect(joined[((b * 3 + i) * 4 + j) * 10 + 5 + d]).toBeCloseTo(-here, 10);
            expect(sum[here]).toBe(here + 100 * (b * 5 + d + 1));
          }
        }
      }
    }
  });
});

describe('the compiled modules', () => {
  it.each(['single', 'shared'] as const)('"%s" is valid without relaxed SIMD', (kind) => {
    expect(WebAssembly.validate(Buffer.from(KERNEL_MODULES[kind], 'base64'))).toBe(true);
  });
});
