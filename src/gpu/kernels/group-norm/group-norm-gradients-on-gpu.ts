/** Gradients of group norms on WebGPU, those of an activation behind the norm inside. */
import * as tf from '@tensorflow/tfjs-core';
import { DeferredActivationGradient } from '../activations/activation-gradient-on-gpu';
import { deferredResults } from '../common/deferred';
import { deferSum } from '../common/deferred-sum';
import { webGpuBackend } from '../common/gpu-program';
import { kernelVariant, shaderFeatures } from '../common/kernel-variant';
import { sumOverRows } from '../convolution/sum-over-rows';
import { GroupNormGradientProgram, gradientOperands } from './group-norm-gradient-program';
import { groupNormSizes, waitingNorm } from './group-norm-on-gpu';

interface Norm {
  readonly x: tf.Tensor; // [B, ..., C]
  readonly weight: tf.Tensor; // [C]
  readonly bias: tf.Tensor; // [C]
}

/** @returns null when the variant is `composed` */
export function groupNormGradientsOnGpu(
  dy: tf.Tensor,
  norm: Norm,
  options: { readonly groups: number; readonly eps: number },
): Readonly<Record<keyof Norm, () => tf.Tensor>> | null {
  const backend = webGpuBackend();
  const variant = kernelVariant(backend);
  const { x, weight, bias } = norm;
  if (variant === 'composed' || x.size === 0) return null;
  const choice = { variant, features: shaderFeatures(backend) };
  const sizes = groupNormSizes(x, options);
  const gradient = (of: 'x' | 'weight'): tf.Tensor => {
    const behind = activationBehind(dy, norm);
    const activation = behind?.activation;
    const program = (addsResidual: boolean): GroupNormGradientProgram =>
      new GroupNormGradientProgram(choice, sizes, of, activation, addsResidual);
    const further = gradientOperands(of, activation).map((name) => (name === 'scale' ? weight : bias));
    const info = deferSum(program, [x, behind?.dy ?? dy, ...further], x.shape);
    return tf.engine().makeTensorFromTensorInfo(info);
  };
  return {
    x: () => gradient('x'),
    weight: () => sumOverRows(gradient('weight')),
    bias: () => sumOverRows(dy),
  };
}

/** The gradient of an activation of this very norm, which dy waits for. */
function activationBehind(dy: tf.Tensor, { x, weight, bias }: Norm): DeferredActivationGradient | null {
  const source = deferredResults(webGpuBackend()).of(dy.dataId);
  if (!(source instanceof DeferredActivationGradient)) return null;
  const operands = waitingNorm(source.x);
  const isThis = operands && [x, weight, bias].every(({ dataId }, i) => operands[i]?.dataId === dataId);
  return isThis ? source : null;
}
