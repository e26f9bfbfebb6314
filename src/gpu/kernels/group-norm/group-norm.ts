import * as tf from '@tensorflow/tfjs-core';
import { elementCount, matchShape } from '../../../common/assert';
import { InvalidInputError } from '../../../common/errors';
import { type WasmKernels, wasmKernels } from '../../wasm-kernels/wasm-kernels';
import type { WeightTensor } from '../../weight-tensor';
import { type Activation, activate, silu, siluDerivative } from '../activations/activations';
import { defineKernel } from '../common/define-kernel';
import { onWasm } from '../common/mat-mul';
import { groupNormGradientsOnGpu } from './group-norm-gradients-on-gpu';
import { deferNorm } from './group-norm-on-gpu';
import { groupNormGradientOnWasm, groupNormOnWasm } from './group-norm-on-wasm';

export interface GroupNormOptions {
  readonly groups: number;
  readonly eps: number;
  readonly activation?: Activation | undefined;
}

interface GroupNormInputs {
  readonly x: tf.Tensor; // [B, ..., C]
  readonly weight: tf.Tensor; // [C]
  readonly bias: tf.Tensor; // [C]
  readonly [name: string]: tf.Tensor;
}

interface GroupNormAttributes {
  readonly groups: number;
  readonly eps: number;
  /** SiLU behind the norm, in the same pass. */
  readonly silu: boolean;
}

/**
 * The mean over positions and over the channels of each group, repeated for each of its channels: [B, P, C] ->
 * [B, 1, C]. Positions first, channel by channel: the reduction of a whole [P, C / G] group would need a transpose of x.
 */
function groupMean(x: tf.Tensor, groups: number): tf.Tensor {
  const [B, , C] = x.shape as [number, number, number];
  const perChannel = tf.reshape(tf.mean(x, 1), [B, groups, C / groups]);
  const perGroup = tf.mean(perChannel, 2, true); // [B, G, 1]
  return tf.reshape(tf.tile(perGroup, [1, 1, C / groups]), [B, 1, C]);
}

/** Mean removed before squaring: E[x^2] - E[x]^2 would cancel where the mean is large against the deviation. */
function standardise(
  x: tf.Tensor,
  { groups, eps }: Pick<GroupNormAttributes, 'groups' | 'eps'>,
): { centred: tf.Tensor; inverseDeviation: tf.Tensor } {
  const centred = tf.sub(x, groupMean(x, groups)); // [B, P, C]
  const variance = groupMean(tf.mul(centred, centred), groups); // [B, 1, C]
  return { centred, inverseDeviation: tf.rsqrt(tf.add(variance, eps)) };
}

/** [B, ..., C] -> [B, P, C] */
function asPositions(x: tf.Tensor): tf.Tensor {
  return tf.reshape(x, [x.shape[0]!, elementCount(x.shape.slice(1, -1)), x.shape.at(-1)!]);
}

function normalise({ x, weight, bias }: GroupNormInputs, attributes: GroupNormAttributes): tf.Tensor {
  const { centred, inverseDeviation } = standardise(asPositions(x), attributes);
  const scale = tf.mul(inverseDeviation, weight); // [B, 1, C]
  return tf.reshape(tf.add(tf.mul(centred, scale), bias), x.shape);
}

/** The gradient before the activation, [B, P, C]. */
function beforeSilu(dy: tf.Tensor, inputs: GroupNormInputs, attributes: GroupNormAttributes): tf.Tensor {
  const dNormed = attributes.silu ? tf.mul(dy, siluDerivative(normalise(inputs, attributes))) : dy;
  return asPositions(dNormed);
}

const groupNormKernel = defineKernel<GroupNormInputs, GroupNormAttributes>({
  name: 'GroupNorm',
  forward: (inputs, attributes) => {
    const y = normalise(inputs, attributes);
    return attributes.silu ? silu(y) : y;
  },
  onWasm: (kernels, { x, weight, bias }, attributes) => groupNormOnWasm(kernels, x, weight, bias, attributes),
  onWebGpu: ({ x, weight, bias }, attributes) => deferNorm(x, weight, bias, attributes),
  gradients: (dy, inputs, attributes) => {
    const kernels = wasmKernels();
    const own = kernels && groupNormGradientOnWasm(kernels, dy, inputs, attributes);
    if (own) return fromOwn(kernels, own);
    return (
      (onWasm() ? null : groupNormGradientsOnGpu(dy, inputs, attributes)) ??
      composedGradients(dy, inputs, attributes)
    );
  },
});

type Gradients = Readonly<Record<'x' | 'weight' | 'bias', () => tf.Tensor>>;

/** All come of one pass; what is not asked for ends with the tidy of the backward pass. */
function fromOwn(
  kernels: WasmKernels,
  { dx, sums }: { readonly dx: tf.TensorInfo; readonly sums: tf.TensorInfo },
): Gradients {
  const [forX, perItem] = [kernels.tensor(dx), kernels.tensor<tf.Tensor3D>(sums)];
  const [items, , channels] = perItem.shape;
  const total = (row: number): tf.Tensor =>
    tf.reshape(tf.sum(tf.slice(perItem, [0, row, 0], [items, 1, channels]), 0), [channels]);
  return { x: () => forX, weight: () => total(0), bias: () => total(1) };
}

function composedGradients(
  dy: tf.Tensor,
  { x, weight, bias }: GroupNormInputs,
  attributes: GroupNormAttributes,
): Gradients {
  return {
    x: () => {
      const dNormed = beforeSilu(dy, { x, weight, bias }, attributes);
      const { centred, inverseDeviation } = standardise(asPositions(x), attributes);
      const normal = tf.mul(centred, inverseDeviation);
      const dNormal = tf.mul(dNormed, weight);
      const alongMean = groupMean(dNormal, attributes.groups);
      const alongNormal = groupMean(tf.mul(dNormal, normal), attributes.groups);
      const inner = tf.sub(tf.sub(dNormal, alongMean), tf.mul(normal, alongNormal));
      return tf.reshape(tf.mul(inner, inverseDeviation), x.shape);
    },
    weight: () => {
      const dNormed = beforeSilu(dy, { x, weight, bias }, attributes);
      const { centred, inverseDeviation } = standardise(asPositions(x), attributes);
      return tf.sum(tf.mul(dNormed, tf.mul(centred, inverseDeviation)), [0, 1]);
    },
    bias: () => tf.sum(beforeSilu(dy, { x, weight, bias }, attributes), [0, 1]),
  };
}

/**
 * Normalises each group of C / groups channels of each item over all positions, scales and shifts by channel.
 *
 * @param x [B, ..., C]
 * @param weight float32 [C]
 * @param bias float32 [C]
 * @returns the shape of x
 */
export function groupNorm<T extends tf.Tensor>(
  x: T,
  weight: WeightTensor,
  bias: WeightTensor,
  { groups, eps, activation }: GroupNormOptions,
): T {
  const channels = weight.shape[0]!;
  matchShape(`groupNorm ${weight.name}: x`, x.shape, ['...', channels]);
  if (channels % groups !== 0) {
    throw new InvalidInputError(
      `groupNorm ${weight.name}: groups should divide the ${channels} channels, got ${groups}.`,
    );
  }
  return tf.tidy(() => {
    const fused = activation === 'silu' && wasmKernels() !== null; // on WebGPU `activate` takes a waiting norm over
    const y = groupNormKernel({ x, weight: weight.tensor, bias: bias.tensor }, { groups, eps, silu: fused });
    return (fused ? y : activate(y, activation)) as T;
  });
}
