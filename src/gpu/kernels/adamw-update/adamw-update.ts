import * as tf from '@tensorflow/tfjs-core';
import { float, wasmKernels } from '../../wasm-kernels/wasm-kernels';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { onWasm } from '../common/mat-mul';
import { AdamWProgram } from './adamw-program';

/** Values in a unit of work on wasm, as in the kernel. */
const UNIT_VALUES = 8192;

/** The running means of one weight's gradient and of its square, both of the weight's shape. */
export interface Moments {
  readonly first: tf.Tensor;
  readonly second: tf.Tensor;
}

export interface AdamWFactors {
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  /** 1 - learning rate * weight decay. */
  readonly decay: number;
  /** Learning rate / (1 - beta1^t). */
  readonly stepSize: number;
  /** The root of 1 - beta2^t. */
  readonly rootOfCorrection: number;
}

/**
 * What a step of `torch.optim.AdamW` makes of one weight, in its order: decay, moments, bias-corrected step. Not
 * differentiable. On wasm one pass, on WebGPU a dispatch for each result, in place of thirteen ops whose calls take longer
 * than their work.
 *
 * @param weight float32, as the others
 * @param before null: the first step
 * @returns new tensors of the weight's shape; the caller disposes them
 */
export function adamWUpdate(
  weight: tf.Tensor,
  gradient: tf.Tensor,
  before: Moments | null,
  factors: AdamWFactors,
): Moments & { readonly value: tf.Tensor } {
  const { beta1, beta2, eps, decay, stepSize, rootOfCorrection } = factors;
  const kernels = wasmKernels();
  if (kernels) {
    const made = [0, 1, 2].map(() => kernels.output(weight.shape));
    const operands = [weight, gradient, before?.first, before?.second, ...made];
    kernels.run('adamWUpdate', Math.ceil(weight.size / UNIT_VALUES), [
      ...operands.map((tensor) => kernels.address(tensor)),
      weight.size,
      ...[beta1, 1 - beta1, beta2, 1 - beta2, rootOfCorrection, eps, decay, stepSize].map(float),
    ]);
    const [value, first, second] = made.map((info) => kernels.tensor(info)) as [
      tf.Tensor,
      tf.Tensor,
      tf.Tensor,
    ];
    return { value, first, second };
  }
  if (!onWasm() && kernelVariant(webGpuBackend()) !== 'composed' && weight.size > 0)
    return updateOnGpu(weight, gradient, before, factors);
  return tf.tidy(() => {
    const plus = (a: tf.Tensor | undefined, beta: number, b: tf.Tensor): tf.Tensor =>
      a ? tf.add(tf.mul(a, beta), b) : b;
    const first = plus(before?.first, beta1, tf.mul(gradient, 1 - beta1));
    const second = plus(before?.second, beta2, tf.mul(tf.square(gradient), 1 - beta2));
    const denominator = tf.add(tf.div(tf.sqrt(second), rootOfCorrection), eps);
    const value = tf.sub(tf.mul(weight, decay), tf.mul(tf.div(first, denominator), stepSize));
    return { value, first, second };
  });
}

function updateOnGpu(
  weight: tf.Tensor,
  gradient: tf.Tensor,
  before: Moments | null,
  { beta1, beta2, eps, decay, stepSize, rootOfCorrection }: AdamWFactors,
): Moments & { readonly value: tf.Tensor } {
  const run = (
    expression: string,
    operands: Readonly<Record<string, tf.Tensor>>,
    numbers: Readonly<Record<string, number>>,
  ): tf.Tensor => {
    const program = new AdamWProgram(weight.size, Object.keys(operands), expression, numbers);
    const info = runProgram(webGpuBackend(), program, Object.values(operands), weight.shape);
    return tf.engine().makeTensorFromTensorInfo(info);
  };
  const moment = (of: string, old: tf.Tensor | undefined, beta: number): tf.Tensor =>
    old
      ? run(
          `uniforms.kept * old[index] + uniforms.added * ${of}`,
          { gradient, old },
          { kept: beta, added: 1 - beta },
        )
      : run(`uniforms.added * ${of}`, { gradient }, { added: 1 - beta });
  const first = moment('gradient[index]', before?.first, beta1);
  const second = moment('gradient[index] * gradient[index]', before?.second, beta2);
  const value = run(
    `uniforms.decay * weight[index] -
          uniforms.stepSize * first[index] / (sqrt(second[index]) / uniforms.root + uniforms.eps)`,
    { weight, first, second },
    { decay, stepSize, root: rootOfCorrection, eps },
  );
  return { value, first, second };
}
