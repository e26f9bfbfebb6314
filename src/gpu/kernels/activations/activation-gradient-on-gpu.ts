/** Gradients of activations on WebGPU: one pass, or none where the norm in front of the activation takes it over. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { type Deferred, deferredResults } from '../common/deferred';
import { runProgram, slopeSource, webGpuBackend } from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { VectorProgram } from '../common/vector-program';
import { waitingNorm } from '../group-norm/group-norm-on-gpu';
import type { Activation } from './activation';

/** dy * f'(x): one thread reads four values of each and writes four. */
class ActivationGradientProgram extends VectorProgram {
  constructor(
    count: number,
    private readonly activation: Activation,
  ) {
    super({
      operands: ['dy', 'x'],
      vectors: count / 4,
      shaderKey: `activation gradient ${activation}`,
      traffic: { flops: 12 * count, readBytes: 8 * count, writeBytes: 4 * count, registerBytes: 96 },
    });
  }

  protected override functions(): string {
    return slopeSource(this.activation);
  }

  protected body(): string {
    return 'result[index] = dy[index] * slope(x[index]);';
  }
}

/** A gradient that waits: see ../common/deferred.ts. */
export class DeferredActivationGradient implements Deferred {
  readonly inputs: readonly tf.TensorInfo[];

  constructor(
    private readonly backend: WebGPUBackend,
    readonly dy: tf.Tensor,
    readonly x: tf.Tensor,
    readonly activation: Activation,
  ) {
    this.inputs = [dy, x];
  }

  run(output: tf.TensorInfo): void {
    const program = new ActivationGradientProgram(this.dy.size, this.activation);
    runProgram(this.backend, program, this.inputs, output.shape, output);
  }
}

/**
 * The gradient of activation(x). It waits while x is a norm that waits: the norm's own gradient makes both anew in its
 * pass, and neither is ever stored.
 *
 * @returns null where the element count is no multiple of four or tfjs's own ops are asked for
 */
export function activationGradientOnGpu(
  dy: tf.Tensor,
  x: tf.Tensor,
  activation: Activation,
): tf.Tensor | null {
  const backend = webGpuBackend();
  if (kernelVariant(backend) === 'composed' || x.size === 0 || x.size % 4 !== 0) return null;
  const gradient = new DeferredActivationGradient(backend, dy, x, activation);
  const results = deferredResults(backend);
  results.force(dy.dataId);
  const info = results.add(x.shape, gradient);
  if (!waitingNorm(x)) results.force(info.dataId);
  return tf.engine().makeTensorFromTensorInfo(info);
}
