/** The studio's WGSL programs beside tfjs's own on one adapter: the same op in each variant, taking turns. */
import * as tf from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-core/dist/register_all_gradients';
import { openDevice } from '../../src/gpu/device';
import { attention, conv2d, geglu, groupNorm, layerNorm, linear } from '../../src/gpu/kernels';
import { type KernelVariant, withVariant } from '../../src/gpu/kernels/common/kernel-variant';
import type { WeightTensor } from '../../src/gpu/weight-tensor';

const VARIANTS = ['composed', 'registers', 'tiles'] as const satisfies readonly KernelVariant[];

interface Case {
  readonly kernel: string;
  /** The sizes: those of the default model's UNet, batch of two. */
  readonly case: string;
  readonly x: tf.Tensor;
  readonly run: (x: tf.Tensor) => tf.Tensor;
}

export interface GpuMeasurement {
  readonly kernel: string;
  readonly case: string;
  readonly pass: 'forward' | 'forward and gradient of x';
  readonly medianMs: Readonly<Record<KernelVariant, number>>;
  /** tfjs's programs' time by the variant's, the median over the rounds. */
  readonly timesAsFast: { readonly registers: number; readonly tiles: number };
}

const normal = (...shape: number[]): tf.Tensor => tf.randomNormal(shape);
const weight = (...shape: number[]): WeightTensor => ({
  name: 'weight',
  shape,
  dtype: 'float32',
  tensor: tf.randomNormal(shape),
});

function cases(): readonly Case[] {
  const [w3, b3] = [weight(3, 3, 64, 64), weight(64)];
  const [w1, b1] = [weight(128, 1024), weight(1024)];
  const [scale, shift] = [weight(128), weight(128)];
  return [
    {
      kernel: 'conv2d',
      case: '[2, 64, 8, 64] to 64, 3 x 3',
      x: normal(2, 64, 8, 64),
      run: (x) => conv2d(x as tf.Tensor4D, w3, b3, { padding: 1 }),
    },
    {
      kernel: 'linear',
      case: '[2, 128, 128] to 1024',
      x: normal(2, 128, 128),
      run: (x) => linear(x, w1, b1),
    },
    {
      kernel: 'attention',
      case: '2 x 4 heads of 32, 128 queries, 128 keys',
      x: normal(2, 4, 128, 32),
      run: (x) => attention(x as tf.Tensor4D, x as tf.Tensor4D, x as tf.Tensor4D, { scale: 0.1 }),
    },
    {
      kernel: 'groupNorm',
      case: '[2, 64, 8, 128] in 16 groups, silu',
      x: normal(2, 64, 8, 128),
      run: (x) => groupNorm(x, scale, shift, { groups: 16, eps: 1e-5, activation: 'silu' }),
    },
    {
      kernel: 'layerNorm',
      case: '[2, 128, 128]',
      x: normal(2, 128, 128),
      run: (x) => layerNorm(x, scale, shift, { eps: 1e-5 }),
    },
    { kernel: 'geglu', case: '[2, 128, 2 x 512]', x: normal(2, 128, 1024), run: (x) => geglu(x) },
  ];
}

/** Milliseconds of `repeats` runs, results read back once. */
async function milliseconds(run: () => tf.Tensor, repeats: number): Promise<number> {
  const started = performance.now();
  for (let i = 1; i < repeats; i += 1) {
    const y = run();
    // Whoever reads a result computes it; reading every one back would time the copies.
    tf.dispose(tf.tidy(() => tf.slice(tf.reshape(y, [y.size]), [0], [1])));
    y.dispose();
  }
  const last = run();
  await last.data();
  last.dispose();
  return (performance.now() - started) / repeats;
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

export async function benchGpuKernels(rounds: number, repeats: number): Promise<GpuMeasurement[]> {
  const device = await openDevice('webgpu');
  const measurements: GpuMeasurement[] = [];
  for (const { kernel, case: sizes, x, run } of cases()) {
    const passes: Record<GpuMeasurement['pass'], () => tf.Tensor> = {
      forward: () => tf.tidy(() => run(x)),
      'forward and gradient of x': () => tf.tidy(() => tf.grad((input) => run(input))(x)),
    };
    for (const [pass, work] of Object.entries(passes)) {
      const times: Record<KernelVariant, number[]> = { composed: [], registers: [], tiles: [] };
      for (let round = 0; round <= rounds; round += 1) {
        for (const variant of VARIANTS) {
          const ms = await milliseconds(() => withVariant(variant, work), repeats);
          if (round > 0) times[variant].push(ms);
        }
      }
      const faster = (variant: KernelVariant): number =>
        median(times[variant].map((ms, round) => times.composed[round]! / ms));
      measurements.push({
        kernel,
        case: sizes,
        pass: pass as GpuMeasurement['pass'],
        medianMs: {
          composed: median(times.composed),
          registers: median(times.registers),
          tiles: median(times.tiles),
        },
        timesAsFast: { registers: faster('registers'), tiles: faster('tiles') },
      });
    }
  }
  device.dispose();
  return measurements;
}
