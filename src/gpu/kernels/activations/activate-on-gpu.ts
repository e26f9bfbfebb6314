/** Activations on WebGPU: inside the product or norm that computes x while that still waits, else one pass over x. */
import type * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import { activationSource, runProgram, webGpuBackend } from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { VectorProgram } from '../common/vector-program';
import { activateNorm } from '../group-norm/group-norm-on-gpu';
import { activateProduct } from '../product/product';
import type { Activation } from './activation';

/** One thread reads four values and writes four: memory-bound, one pass. */
class ActivationProgram extends VectorProgram {
  constructor(
    count: number,
    private readonly activation: Activation,
  ) {
    super({
      operands: ['x'],
      vectors: count / 4,
      shaderKey: `activation ${activation}`,
      traffic: { flops: 8 * count, readBytes: 4 * count, writeBytes: 4 * count, registerBytes: 64 },
    });
  }

  protected override functions(): string {
    return activationSource(this.activation);
  }

  protected body(): string {
    return 'result[index] = activate(x[index]);';
  }
}

/** activation(x); null where the element count is no multiple of four or tfjs's own ops are asked for. */
export function activateOnGpu(x: tf.TensorInfo, activation: Activation): tf.TensorInfo | null {
  const backend = webGpuBackend();
  const count = elementCount(x.shape);
  if (kernelVariant(backend) === 'composed' || count === 0 || count % 4 !== 0) return null;
  return (
    activateProduct(x, activation) ??
    activateNorm(x, activation) ??
    runProgram(backend, new ActivationProgram(count, activation), [x], x.shape)
  );
}
