import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import {
  attention,
  conv2d,
  convTranspose1d,
  geglu,
  groupNorm,
  layerNorm,
  leakyRelu,
  linear,
  silu,
  upsampleConv2d,
} from '../../src/gpu/kernels';
import type { WeightTensor } from '../../src/gpu/weight-tensor';

const RUNS = 10;

type Pass = 'forward' | 'by inputs' | 'by inputs and weights';

interface Measurement {
  readonly kernel: string;
  /** The sizes: those of the default model's UNet (batch of two, latents 64 x 8) and vocoder. */
  readonly case: string;
  /** Forward, or the backward pass alone: the gradients' time with the forward pass, without that of the forward pass. */
  readonly pass: Pass;
  readonly oursMs: number;
  /** Null where tfjs has no such gradient on wasm. */
  readonly stockMs: number | null;
}

interface Pair {
  readonly kernel: string;
  readonly case: string;
  readonly ours: () => tf.Tensor;
  /** The plain tfjs op, or the composition that was tried and is slower. */
  readonly stock: () => tf.Tensor;
  /** As `stock`, where that one's gradient takes ops that tfjs lacks on wasm. */
  readonly stockForGradients?: () => tf.Tensor;
  /** What it is differentiated by; of kernels that are never trained through, nothing. */
  readonly inputs?: readonly tf.Tensor[];
  readonly weights?: readonly tf.Tensor[];
}

const normal = <R extends tf.Rank>(...shape: number[]): tf.Tensor<R> =>
  tf.randomNormal(shape as tf.ShapeMap[R]);

const weight = (...shape: number[]): WeightTensor => ({
  name: 'weight',
  shape,
  dtype: 'float32',
  tensor: tf.randomNormal(shape),
});

/** CPU milliseconds of one run, the least of RUNS: contention with other processes adds waiting, not CPU time. */
function cpuMilliseconds(run: () => tf.TensorContainer): number {
  tf.dispose(run());
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i += 1) {
    const before = process.cpuUsage();
    tf.dispose(run());
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

const rounded = (ms: number): number => Math.round(ms * 1000) / 1000;

function measure({
  kernel,
  case: sizes,
  ours,
  stock,
  stockForGradients = stock,
  ...by
}: Pair): Measurement[] {
  const { inputs = [], weights = [] } = by;
  const of = (pass: Pass, oursMs: number, stockMs: number | null): Measurement => ({
    kernel,
    case: sizes,
    pass,
    oursMs: rounded(oursMs),
    stockMs: stockMs === null ? null : rounded(stockMs),
  });
  const forward = [cpuMilliseconds(ours), cpuMilliseconds(stock)] as const;
  const dy = tf.tidy(() => tf.onesLike(ours()));
  const backward = (pass: Pass, variables: readonly tf.Tensor[]): Measurement => {
    const gradients = (run: () => tf.Tensor): tf.Tensor[] => tf.grads(() => run())([...variables], dy);
    let stockMs: number | null = null;
    try {
      stockMs = cpuMilliseconds(() => gradients(stockForGradients)) - forward[1];
    } catch (error) {
      if (!(error instanceof Error && /not registered/.test(error.message))) throw error;
    }
    return of(pass, cpuMilliseconds(() => gradients(ours)) - forward[0], stockMs);
  };
  return [
    of('forward', ...forward),
    ...(inputs.length > 0 ? [backward('by inputs', inputs)] : []),
    ...(weights.length > 0 ? [backward('by inputs and weights', [...inputs, ...weights])] : []),
  ];
}

function linearPair(rows: number, inside: number, outside: number): Pair {
  const x = normal<tf.Rank.R2>(rows, inside); // tfjs has no right gradient of a product of three axes with two
  const w = weight(inside, outside);
  return {
    kernel: 'linear',
    case: `[${rows}, ${inside}] to ${outside}`,
    inputs: [x],
    weights: [w.tensor],
    ours: () => linear(x, w),
    stock: () => tf.matMul(x, w.tensor),
  };
}

function convPair(H: number, W: number, C: number): Pair {
  const x = normal<tf.Rank.R4>(2, H, W, C);
  const w = weight(3, 3, C, C);
  const b = weight(C);
  return {
    kernel: 'conv2d',
    case: `[2, ${H}, ${W}, ${C}], 3 x 3`,
    inputs: [x],
    weights: [w.tensor, b.tensor],
    ours: () => conv2d(x, w, b, { padding: 1 }),
    stock: () =>
      tf.fused.conv2d({ x, filter: w.tensor as tf.Tensor4D, bias: b.tensor, strides: 1, pad: 'same' }),
    stockForGradients: () =>
      tf.tidy(() => tf.add(tf.conv2d(x, w.tensor as tf.Tensor4D, 1, 'same'), b.tensor)),
  };
}

function siluPair(H: number, W: number, C: number): Pair {
  const x = normal<tf.Rank.R4>(2, H, W, C);
  return {
    kernel: 'silu',
    case: `[2, ${H}, ${W}, ${C}]`,
    inputs: [x],
    ours: () => silu(x),
    stock: () => tf.tidy(() => tf.mul(x, tf.sigmoid(x))),
  };
}

function attentionPair(N: number, L: number, S: number, D: number): Pair {
  const q = normal<tf.Rank.R4>(2, N, L, D);
  const k = normal<tf.Rank.R4>(2, N, S, D);
  const v = normal<tf.Rank.R4>(2, N, S, D);
  return {
    kernel: 'attention',
    case: `2 x ${N} heads of ${D}, ${L} queries, ${S} keys`,
    inputs: [q, k, v],
    ours: () => attention(q, k, v, { scale: 1 }),
    stock: () => tf.tidy(() => tf.matMul(tf.softmax(tf.matMul(q, k, false, true)), v)),
  };
}

function groupNormPair(B: number, P: number, C: number, groups: number): Pair {
  const x = normal<tf.Rank.R3>(B, P, C);
  const w = weight(C);
  const b = weight(C);
  return {
    kernel: 'groupNorm',
    case: `[${B}, ${P}, ${C}] in ${groups} groups`,
    inputs: [x],
    weights: [w.tensor, b.tensor],
    ours: () => groupNorm(x, w, b, { groups, eps: 1e-5 }),
    stock: () =>
      tf.tidy(() => {
        const grouped = tf.reshape(x, [B, P, groups, C / groups]);
        const { mean, variance } = tf.moments(grouped, [1, 3], true);
        const y = tf.mul(tf.sub(grouped, mean), tf.rsqrt(tf.add(variance, 1e-5)));
        return tf.add(tf.mul(tf.reshape(y, x.shape), w.tensor), b.tensor);
      }),
  };
}

function layerNormPair(rows: number, width: number): Pair {
  const x = normal<tf.Rank.R2>(rows, width);
  const w = weight(width);
  const b = weight(width);
  return {
    kernel: 'layerNorm',
    case: `[${rows}, ${width}]`,
    inputs: [x],
    weights: [w.tensor, b.tensor],
    ours: () => layerNorm(x, w, b, { eps: 1e-5 }),
    stock: () =>
      tf.tidy(() => {
        const { mean, variance } = tf.moments(x, -1, true);
        const y = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5)));
        return tf.add(tf.mul(y, w.tensor), b.tensor);
      }),
  };
}

function gegluPair(rows: number, width: number): Pair {
  const x = normal<tf.Rank.R2>(rows, 2 * width);
  return {
    kernel: 'geglu',
    case: `[${rows}, 2 x ${width}]`,
    inputs: [x],
    ours: () => geglu(x),
    stock: () =>
      tf.tidy(() => {
        const [value, gate] = tf.split(x, 2, -1) as [tf.Tensor, tf.Tensor];
        const phi = tf.mul(tf.add(tf.erf(tf.mul(gate, Math.SQRT1_2)), 1), 0.5);
        return tf.mul(value, tf.mul(gate, phi));
      }),
  };
}

function leakyReluPair(T: number, C: number): Pair {
  const x = normal<tf.Rank.R3>(1, T, C);
  return {
    kernel: 'leakyRelu',
    case: `[1, ${T}, ${C}]`,
    ours: () => leakyRelu(x, 0.1),
    stock: () => tf.leakyRelu(x, 0.1),
  };
}

function convTransposePair(T: number, inside: number, outside: number, k: number, stride: number): Pair {
  const padding = Math.floor((k - stride) / 2);
  const x = normal<tf.Rank.R3>(1, T, inside);
  const w = weight(k, inside, outside);
  const length = (T - 1) * stride - 2 * padding + k;
  return {
    kernel: 'convTranspose1d',
    case: `[1, ${T}, ${inside}] to ${outside}, k ${k}, stride ${stride}`,
    ours: () => convTranspose1d(x, w, null, { stride, padding }),
    stock: () =>
      tf.tidy(() => {
        const image = tf.reshape(x, [1, 1, T, inside]) as tf.Tensor4D;
        const filter = tf.expandDims(tf.transpose(w.tensor, [0, 2, 1]), 0) as tf.Tensor4D;
        const shape: [number, number, number, number] = [1, 1, length, outside];
        return tf.conv2dTranspose(
          image,
          filter,
          shape,
          [1, stride],
          [
            [0, 0],
            [0, 0],
            [padding, padding],
            [0, 0],
          ],
        );
      }),
  };
}

function upsampleConvPair(H: number, W: number, C: number): Pair {
  const x = normal<tf.Rank.R4>(1, H, W, C);
  const w = weight(3, 3, C, C);
  const b = weight(C);
  return {
    kernel: 'upsampleConv2d',
    case: `[1, ${H}, ${W}, ${C}]`,
    inputs: [x],
    weights: [w.tensor, b.tensor],
    ours: () => upsampleConv2d(x, w, b),
    stock: () =>
      tf.tidy(() => {
        const image = tf.image.resizeNearestNeighbor(x, [2 * H, 2 * W]);
        return tf.fused.conv2d({
          x: image,
          filter: w.tensor as tf.Tensor4D,
          bias: b.tensor,
          strides: 1,
          pad: 1,
        });
      }),
    stockForGradients: () =>
      tf.tidy(() => {
        const image = tf.image.resizeNearestNeighbor(x, [2 * H, 2 * W]);
        return tf.add(tf.conv2d(image, w.tensor as tf.Tensor4D, 1, 'same'), b.tensor);
      }),
  };
}

/** @param filter a kernel's name, or '' for all */
export async function benchKernels(filter: string): Promise<{ backend: string; kernels: Measurement[] }> {
  await tf.setBackend('wasm');
  await tf.ready();
  const pairs: readonly (() => Pair)[] = [
    () => linearPair(1024, 64, 64),
    () => linearPair(256, 128, 1024),
    () => linearPair(1024, 64, 8),
    () => convPair(64, 8, 64),
    () => convPair(32, 4, 128),
    () => siluPair(64, 8, 64),
    () => attentionPair(4, 128, 128, 32),
    () => attentionPair(4, 512, 512, 32),
    () => attentionPair(4, 128, 16, 32),
    () => groupNormPair(2, 512, 64, 16),
    () => groupNormPair(2, 128, 128, 16),
    () => groupNormPair(1, 8192, 64, 16),
    () => layerNormPair(256, 128),
    () => gegluPair(256, 512),
    () => leakyReluPair(40960, 16),
    () => leakyReluPair(2560, 128),
    () => convTransposePair(512, 256, 128, 16, 5),
    () => convTransposePair(2560, 128, 64, 16, 4),
    () => convTransposePair(40960, 16, 8, 4, 2),
    () => upsampleConvPair(256, 32, 32),
    () => upsampleConvPair(128, 16, 96),
    () => upsampleConvPair(64, 8, 128),
    () => upsampleConvPair(32, 4, 128),
  ];
  const kernels = pairs
    .map((make) => make())
    .filter(({ kernel }) => kernel.includes(filter))
    .flatMap(measure);
  return { backend: tf.getBackend(), kernels };
}
