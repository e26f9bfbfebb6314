import * as tf from '@tensorflow/tfjs-core';
import { matchShape } from '../../../common/assert';
import { float, type WasmKernels, wasmKernels } from '../../wasm-kernels/wasm-kernels';
import type { WeightTensor } from '../../weight-tensor';
import { deferSum } from '../common/deferred-sum';
import { defineKernel } from '../common/define-kernel';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { kernelVariant, shaderFeatures } from '../common/kernel-variant';
import { onWasm } from '../common/mat-mul';
import { sumOverRows } from '../convolution/sum-over-rows';
import { RowNormGradientProgram } from './layer-norm-gradient-program';
import { RowNormProgram } from './layer-norm-program';

/** Rows in a unit of work on wasm, as in the kernel. */
const UNIT_ROWS = 16;

interface NormInputs {
  readonly x: tf.Tensor; // [..., D]
  readonly weight: tf.Tensor; // [D]
  readonly bias: tf.Tensor | undefined; // [D]
  readonly [name: string]: tf.Tensor | undefined;
}

interface NormAttributes {
  readonly eps: number;
  /** Whether the mean is removed (layer norm) or not (RMS norm). */
  readonly centre: boolean;
}

/** x without its mean (when `centre`), and 1 / sqrt(mean square + eps): [..., D], [..., 1]. */
function standardise(x: tf.Tensor, { eps, centre }: NormAttributes): [tf.Tensor, tf.Tensor] {
  const centred = centre ? tf.sub(x, tf.mean(x, -1, true)) : x;
  const meanSquare = tf.mean(tf.mul(centred, centred), -1, true); // [..., 1]
  return [centred, tf.rsqrt(tf.add(meanSquare, eps))];
}

/** The gradient of x on wasm; null for rows that are no vectors of four. */
function inputGradientOnWasm(
  kernels: WasmKernels,
  dy: tf.Tensor,
  { x, weight }: NormInputs,
  { eps, centre }: NormAttributes,
): tf.TensorInfo | null {
  const width = x.shape.at(-1)!;
  if (width % 4 !== 0) return null;
  const rows = x.size / width;
  const dx = kernels.output(x.shape);
  const operands = [x, weight, dy, dx].map((tensor) => kernels.address(tensor));
  const sizes = [rows, width, Number(centre), float(eps)];
  kernels.run('rowNormGradient', Math.ceil(rows / UNIT_ROWS), [...operands, ...sizes]);
  return dx;
}

/** The gradient of x, or what is summed over rows for that of the weight; null where `onWebGpu` is. */
function gradientOnGpu(
  of: 'x' | 'weight',
  dy: tf.Tensor,
  { x, weight }: NormInputs,
  options: NormAttributes,
): tf.Tensor | null {
  const width = x.shape.at(-1)!;
  if (onWasm() || width % 4 !== 0 || x.size === 0) return null;
  const backend = webGpuBackend();
  const variant = kernelVariant(backend);
  if (variant === 'composed') return null;
  const choice = { variant, features: shaderFeatures(backend) };
  const program = (addsResidual: boolean): RowNormGradientProgram =>
    new RowNormGradientProgram(choice, x.size / width, width, of, options, addsResidual);
  const info = deferSum(program, of === 'x' ? [x, dy, weight] : [x, dy], x.shape);
  return tf.engine().makeTensorFromTensorInfo(info);
}

const normKernel = defineKernel<NormInputs, NormAttributes>({
  name: 'LastAxisNorm',
  forward: ({ x, weight, bias }, attributes) => {
    const [centred, inverseDeviation] = standardise(x, attributes);
    const scaled = tf.mul(tf.mul(centred, inverseDeviation), weight);
    return bias ? tf.add(scaled, bias) : scaled;
  },
  onWasm: (kernels, { x, weight, bias }, { eps, centre }) => {
    const width = x.shape.at(-1)!;
    if (width % 4 !== 0) return null;
    const rows = x.size / width;
    const y = kernels.output(x.shape);
    const operands = [x, weight, bias, y].map((tensor) => kernels.address(tensor));
    kernels.run('rowNorm', Math.ceil(rows / UNIT_ROWS), [
      ...operands,
      rows,
      width,
      Number(centre),
      float(eps),
    ]);
    return y;
  },
  onWebGpu: ({ x, weight, bias }, options) => {
    const backend = webGpuBackend();
    const variant = kernelVariant(backend);
    const width = x.shape.at(-1)!;
    if (variant === 'composed' || width % 4 !== 0 || x.size === 0) return null;
    const choice = { variant, features: shaderFeatures(backend) };
    const program = new RowNormProgram(choice, x.size / width, width, bias !== undefined, options);
    return runProgram(backend, program, bias ? [x, weight, bias] : [x, weight], x.shape);
  },
  gradients: (dy, inputs, attributes) => ({
    x: () => {
      const { x, weight } = inputs;
      const kernels = wasmKernels();
      const own = kernels && inputGradientOnWasm(kernels, dy, inputs, attributes);
      if (own) return kernels.tensor(own);
      const onGpu = gradientOnGpu('x', dy, inputs, attributes);
      if (onGpu) return onGpu;
      const [centred, inverseDeviation] = standardise(x, attributes);
      const normal = tf.mul(centred, inverseDeviation);
      const dNormal = tf.mul(dy, weight);
      const alongNormal = tf.mul(normal, tf.mean(tf.mul(dNormal, normal), -1, true));
      const across = attributes.centre ? tf.sub(dNormal, tf.mean(dNormal, -1, true)) : dNormal;
      return tf.mul(tf.sub(across, alongNormal), inverseDeviation);
    },
    weight: () => {
      const onGpu = gradientOnGpu('weight', dy, inputs, attributes);
      if (onGpu) return sumOverRows(onGpu);
      const [centred, inverseDeviation] = standardise(inputs.x, attributes);
      return sumOverRows(tf.mul(dy, tf.mul(centred, inverseDeviation)));
    },
    bias: () => sumOverRows(dy),
  }),
});

/**
 * Normalises the last axis, scales and shifts.
 *
 * @param x [..., D]
 * @param weight float32 [D]
 * @param bias float32 [D]
 * @returns the shape of x
 */
export function layerNorm<T extends tf.Tensor>(
  x: T,
  weight: WeightTensor,
  bias: WeightTensor | null,
  { eps }: { readonly eps: number },
): T {
  matchShape(`layerNorm ${weight.name}: x`, x.shape, ['...', weight.shape[0]!]);
  return normKernel({ x, weight: weight.tensor, bias: bias?.tensor }, { eps, centre: true }) as T;
}

/**
 * Divides the last axis by its root mean square, scales (T5LayerNorm, LlamaRMSNorm): no mean, no shift.
 *
 * @param x [..., D]
 * @param weight float32 [D]
 * @returns the shape of x
 */
export function rmsNorm<T extends tf.Tensor>(
  x: T,
  weight: WeightTensor,
  { eps }: { readonly eps: number },
): T {
  matchShape(`rmsNorm ${weight.name}: x`, x.shape, ['...', weight.shape[0]!]);
  return normKernel({ x, weight: weight.tensor, bias: undefined }, { eps, centre: false }) as T;
}
