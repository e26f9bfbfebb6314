/** What a kernel variant has to compute before it is used: small ops beside plain loops. */
import * as tf from '@tensorflow/tfjs-core';
import { float16Bits } from '../../common/float16';
import { float16WeightTensor, type WeightTensor } from '../weight-tensor';
import { attention } from './attention/attention';
import { groupNorm } from './group-norm/group-norm';
import { layerNorm } from './layer-norm/layer-norm';
import { linear } from './linear/linear';

const ROWS = 70;
const WIDTH = 8;

/** Values between -1 and 1 that halves hold exactly. */
const pattern = (count: number, step: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => (((i * step) % 33) - 16) / 16);

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** An op on small numbers, and what plain loops make of them. */
export interface Check {
  readonly run: () => tf.Tensor;
  readonly expected: readonly number[];
}

const vector = (tensor: tf.Tensor): WeightTensor => ({
  name: 'self-test',
  shape: [WIDTH],
  dtype: 'float32',
  tensor,
});

/**
 * x W + b + x, with W in halves. Few rows and a long inner axis are programs of their own on GPUs.
 *
 * @param inside a multiple of four
 */
function productCheck(rows: number, inside: number): Check {
  const [x, w] = [pattern(rows * inside, 7), pattern(inside * WIDTH, 5)];
  const [b, residual] = [pattern(WIDTH, 3), pattern(rows * WIDTH, 11)];
  const expected = range(rows * WIDTH).map((at) => {
    const [row, column] = [Math.floor(at / WIDTH), at % WIDTH];
    const products = range(inside).map((k) => x[row * inside + k]! * w[k * WIDTH + column]!);
    return residual[at]! + b[column]! + sum(products);
  });
  const run = (): tf.Tensor => {
    const halves = float16WeightTensor(w.length, (target) => target.set(float16Bits(w)));
    const weight: WeightTensor = {
      name: 'self-test',
      shape: [inside, WIDTH],
      dtype: 'float16',
      tensor: halves,
    };
    return tf.add(
      linear(tf.tensor(x, [rows, inside]), weight, vector(tf.tensor(b))),
      tf.tensor(residual, [rows, WIDTH]),
    );
  };
  return { run, expected };
}

/** What a norm makes of the values that it takes together: without their mean, by their deviation. */
function normalised(values: readonly number[]): {
  readonly normal: readonly number[];
  readonly inverse: number;
} {
  const mean = sum(values) / values.length;
  const inverse = 1 / Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / values.length + 1e-5);
  return { normal: values.map((value) => (value - mean) * inverse), inverse };
}

/** The gradient of the values themselves. */
function throughNorm({ normal, inverse }: ReturnType<typeof normalised>, d: readonly number[]): number[] {
  const along = sum(d) / d.length;
  const alongNormal = sum(d.map((value, i) => value * normal[i]!)) / d.length;
  return d.map((value, i) => (value - along - normal[i]! * alongNormal) * inverse);
}

/** Result and gradients behind one another: of x, of the scale, of the shift. */
function withGradients(
  op: (x: tf.Tensor, scale: WeightTensor, shift: WeightTensor) => tf.Tensor,
  x: tf.Tensor,
  dy: tf.Tensor,
): tf.Tensor {
  const shape = [x.shape.at(-1)!];
  const weight = (tensor: tf.Tensor): WeightTensor => ({ ...vector(tensor), shape });
  const all = tf.valueAndGrads((...[input, scale, shift]) => op(input!, weight(scale!), weight(shift!)))(
    [x, tf.ones(shape), tf.zeros(shape)],
    dy,
  );
  return tf.concat([all.value, ...all.grads].map((tensor) => tf.reshape(tensor, [tensor.size])));
}

/** With SiLU behind it. */
function groupNormCheck(): Check {
  const [x, dy] = [pattern(ROWS * WIDTH, 11), pattern(ROWS * WIDTH, 5)];
  const groups = 2;
  const [y, d, normal, dx] = [0, 1, 2, 3].map(() => new Float64Array(x.length));
  for (const group of range(groups)) {
    const members = range(x.length).filter((at) => Math.floor((at % WIDTH) / (WIDTH / groups)) === group);
    const norm = normalised(members.map((at) => x[at]!));
    const before = members.map((at, i) => {
      const value = norm.normal[i]!;
      const gate = 1 / (1 + Math.exp(-value));
      y![at] = value * gate;
      normal![at] = value;
      d![at] = dy[at]! * gate * (1 + value * (1 - gate));
      return d![at]!;
    });
    throughNorm(norm, before).forEach((value, i) => {
      dx![members[i]!] = value;
    });
  }
  const perChannel = (of: (at: number) => number): number[] =>
    range(WIDTH).map((channel) => sum(range(ROWS).map((row) => of(row * WIDTH + channel))));
  const expected = [
    ...y!,
    ...dx!,
    ...perChannel((at) => d![at]! * normal![at]!),
    ...perChannel((at) => d![at]!),
  ];
  const run = (): tf.Tensor =>
    withGradients(
      (input, scale, shift) => groupNorm(input, scale, shift, { groups, eps: 1e-5, activation: 'silu' }),
      tf.tensor(x, [1, ROWS, WIDTH]),
      tf.tensor(dy, [1, ROWS, WIDTH]),
    );
  return { run, expected };
}

function layerNormCheck(): Check {
  const width = 280; // more vectors than a workgroup has threads
  const [x, dy] = [pattern(3 * width, 11), pattern(3 * width, 5)];
  const row = (values: Float32Array, i: number): number[] => [...values.slice(i * width, (i + 1) * width)];
  const rows = range(3).map((i) => ({ norm: normalised(row(x, i)), d: row(dy, i) }));
  const perChannel = (of: (one: (typeof rows)[number], channel: number) => number): number[] =>
    range(width).map((channel) => sum(rows.map((one) => of(one, channel))));
  const expected = [
    ...rows.flatMap(({ norm }) => norm.normal),
    ...rows.flatMap(({ norm, d }) => throughNorm(norm, d)),
    ...perChannel(({ norm, d }, channel) => d[channel]! * norm.normal[channel]!),
    ...perChannel(({ d }, channel) => d[channel]!),
  ];
  const run = (): tf.Tensor =>
    withGradients(
      (input, scale, shift) => layerNorm(input, scale, shift, { eps: 1e-5 }),
      tf.tensor(x, [3, width]),
      tf.tensor(dy, [3, width]),
    );
  return { run, expected };
}

/** Result and gradients behind one another: of the queries, the keys, the values. */
function attentionCheck(): Check {
  // More than a workgroup of queries and of keys, and gradients of keys that are added up in parts. Heads are narrow:
  // adapters that run shaders on the processor take a minute to compile wide ones.
  const [queries, keys, width] = [130, 70, 8];
  const scale = 0.25;
  const [q, k, v, dy] = [
    pattern(queries * width, 7),
    pattern(keys * width, 5),
    pattern(keys * width, 3),
    pattern(queries * width, 11),
  ];
  const [y, dq, dk, dv] = [q, q, k, v].map(({ length }) => new Float64Array(length));
  const dot = (a: Float32Array, i: number, b: Float32Array, j: number): number =>
    sum(range(width).map((d) => a[i * width + d]! * b[j * width + d]!));
  const add = (to: Float64Array, i: number, from: Float32Array, j: number, factor: number): void => {
    for (let d = 0; d < width; d += 1) to[i * width + d]! += factor * from[j * width + d]!;
  };
  for (const i of range(queries)) {
    const powers = range(keys).map((j) => Math.exp(scale * dot(q, i, k, j)));
    const total = sum(powers);
    const slopes = range(keys).map((j) => dot(dy, i, v, j));
    const delta = sum(slopes.map((slope, j) => (slope * powers[j]!) / total));
    for (const j of range(keys)) {
      const p = powers[j]! / total;
      const dScore = scale * p * (slopes[j]! - delta);
      add(y!, i, v, j, p);
      add(dq!, i, k, j, dScore);
      add(dk!, j, q, i, dScore);
      add(dv!, j, dy, i, p);
    }
  }
  const heads = (values: Float32Array): tf.Tensor4D =>
    tf.tensor4d(values, [1, 1, values.length / width, width]);
  const run = (): tf.Tensor => {
    const { value, grads } = tf.valueAndGrads((...[a, b, c]) =>
      attention(a as tf.Tensor4D, b as tf.Tensor4D, c as tf.Tensor4D, { scale }),
    )([heads(q), heads(k), heads(v)], heads(dy));
    return tf.concat([value, ...grads].map((tensor) => tf.reshape(tensor, [tensor.size])));
  };
  return { run, expected: [...y!, ...dq!, ...dk!, ...dv!] };
}

/** Every program that a variant brings, those of gradients too. */
export function kernelChecks(): readonly Check[] {
  return [
    productCheck(ROWS, WIDTH),
    productCheck(2, 24),
    productCheck(9, 2048),
    groupNormCheck(),
    layerNormCheck(),
    attentionCheck(),
  ];
}
