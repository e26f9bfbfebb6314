import * as tf from '@tensorflow/tfjs-core';
import type { WasmKernels } from '../../wasm-kernels/wasm-kernels';
import { defineKernel } from '../common/define-kernel';
import { onWasm } from '../common/mat-mul';
import { activateOnGpu } from './activate-on-gpu';
import type { Activation } from './activation';
import { activationGradientOnGpu } from './activation-gradient-on-gpu';
import { normalCdf, normalDensity } from './normal-cdf';

export type { Activation };

interface ActivationInputs {
  readonly x: tf.Tensor;
  readonly [name: string]: tf.Tensor;
}

/** An elementwise op of x; its gradient is dy times `derivative`, which recomputes from x: one tensor is saved. */
function defineActivation<Attributes extends object>(
  name: string,
  forward: (x: tf.Tensor, attributes: Attributes) => tf.Tensor,
  derivative: (x: tf.Tensor, attributes: Attributes) => tf.Tensor,
  fused?: Activation,
): <T extends tf.Tensor>(x: T, attributes: Attributes) => T {
  const kernel = defineKernel<ActivationInputs, Attributes>({
    name,
    forward: ({ x }, attributes) => forward(x, attributes),
    ...(fused === 'silu' || fused === 'gelu'
      ? { onWasm: (kernels, { x }) => activateOnWasm(kernels, x, fused) }
      : {}),
    ...(fused ? { onWebGpu: ({ x }) => activateOnGpu(x, fused) } : {}),
    gradients: (dy, { x }, attributes) => ({
      x: () =>
        (fused && !onWasm() ? activationGradientOnGpu(dy, x, fused) : null) ??
        tf.mul(dy, derivative(x, attributes)),
    }),
  });
  return <T extends tf.Tensor>(x: T, attributes: Attributes) => kernel({ x }, attributes) as T;
}

/** In one pass, eight thousand values a unit. */
function activateOnWasm(kernels: WasmKernels, x: tf.Tensor, activation: 'silu' | 'gelu'): tf.TensorInfo {
  const y = kernels.output(x.shape);
  const operands = [kernels.address(x), kernels.address(y), x.size, activation === 'silu' ? 0 : 1];
  kernels.run('activation', Math.ceil(x.size / 8192), operands);
  return y;
}

const siluKernel = defineActivation(
  'Silu',
  (x) => tf.mul(x, tf.sigmoid(x)),
  (x) => siluDerivative(x),
  'silu',
);

const geluKernel = defineActivation(
  'Gelu',
  (x) => tf.mul(x, normalCdf(x)),
  (x) => geluDerivative(x),
  'gelu',
);

/** s(x) (1 + x (1 - s(x))), s the sigmoid. */
export function siluDerivative(x: tf.Tensor): tf.Tensor {
  const gate = tf.sigmoid(x);
  return tf.mul(gate, tf.add(tf.mul(x, tf.sub(1, gate)), 1));
}

/** Phi(x) + x phi(x). */
export function geluDerivative(x: tf.Tensor): tf.Tensor {
  return tf.add(normalCdf(x), tf.mul(x, normalDensity(x)));
}

const TWICE_SQRT_2_OVER_PI = 2 * Math.sqrt(2 / Math.PI);
const CUBIC = 0.044715;

/** sigmoid(2 u) = (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3): a sigmoid is SIMD on wasm, tanh is not. */
function tanhGate(x: tf.Tensor): tf.Tensor {
  const slope = tf.add(tf.mul(tf.mul(x, x), CUBIC * TWICE_SQRT_2_OVER_PI), TWICE_SQRT_2_OVER_PI);
  return tf.sigmoid(tf.mul(x, slope));
}

const geluNewKernel = defineActivation(
  'GeluNew',
  (x) => tf.mul(x, tanhGate(x)),
  (x) => {
    const gate = tanhGate(x);
    const inner = tf.add(tf.mul(tf.mul(x, x), 3 * CUBIC * TWICE_SQRT_2_OVER_PI), TWICE_SQRT_2_OVER_PI);
    return tf.mul(gate, tf.add(tf.mul(tf.mul(x, tf.sub(1, gate)), inner), 1));
  },
  'gelu_new',
);

const leakyReluKernel = defineActivation<{ readonly slope: number }>(
  'LeakyRelu',
  // tfjs's wasm leakyRelu is a scalar loop; prelu is XNNPACK's, 4 to 6 times as fast. It takes a slope a channel.
  (x, { slope }) =>
    onWasm() && x.rank > 0 ? tf.prelu(x, tf.fill([x.shape.at(-1)!], slope)) : tf.leakyRelu(x, slope),
  (x, { slope }) => tf.add(tf.mul(tf.step(x), 1 - slope), slope),
);

/** x * sigmoid(x). */
export function silu<T extends tf.Tensor>(x: T): T {
  return siluKernel(x, {});
}

/** The exact GELU: x * Phi(x), Phi the normal distribution function (torch's default, through erf). */
export function gelu<T extends tf.Tensor>(x: T): T {
  return geluKernel(x, {});
}

/** The tanh approximation: x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))). */
export function geluNew<T extends tf.Tensor>(x: T): T {
  return geluNewKernel(x, {});
}

export function relu<T extends tf.Tensor>(x: T): T {
  return tf.relu(x);
}

/** x where x > 0, slope * x elsewhere. */
export function leakyRelu<T extends tf.Tensor>(x: T, slope: number): T {
  return leakyReluKernel(x, { slope });
}

export function tanh<T extends tf.Tensor>(x: T): T {
  return tf.tanh(x);
}

const ACTIVATIONS: Readonly<Record<Activation, (x: tf.Tensor) => tf.Tensor>> = {
  silu,
  gelu,
  gelu_new: geluNew,
  relu,
};

/** The activation of that name, or x itself when there is none. */
export function activate<T extends tf.Tensor>(x: T, activation: Activation | undefined): T {
  return activation ? (ACTIVATIONS[activation](x) as T) : x;
}
