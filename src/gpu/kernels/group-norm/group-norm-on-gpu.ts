/** Group norms that wait for the activation behind them: see ../common/deferred.ts. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import type { Activation } from '../activations/activation';
import { type Deferred, deferredResults } from '../common/deferred';
import { runProgram, webGpuBackend } from '../common/gpu-program';
import { type KernelChoice, kernelVariant, shaderFeatures } from '../common/kernel-variant';
import { GroupNormProgram } from './group-norm-program';
import type { GroupNormSizes } from './group-norm-source';

class DeferredNorm implements Deferred {
  constructor(
    private readonly backend: WebGPUBackend,
    private readonly choice: KernelChoice,
    private readonly sizes: GroupNormSizes,
    /** x, scale, shift */
    readonly inputs: readonly tf.TensorInfo[],
    readonly activation?: Activation,
  ) {}

  run(output: tf.TensorInfo): void {
    const program = new GroupNormProgram(this.choice, this.sizes, this.activation);
    runProgram(this.backend, program, this.inputs, output.shape, output);
  }

  activated(activation: Activation): DeferredNorm {
    return new DeferredNorm(this.backend, this.choice, this.sizes, this.inputs, activation);
  }
}

export function groupNormSizes(
  { shape }: tf.TensorInfo,
  { groups, eps }: { readonly groups: number; readonly eps: number },
): GroupNormSizes {
  const [batch, channels] = [shape[0]!, shape.at(-1)!];
  return { batch, positions: elementCount(shape) / batch / channels, channels, groups, eps };
}

/** The norm of x [B, ..., C], waiting; null when the variant is `composed`. */
export function deferNorm(
  x: tf.TensorInfo,
  scale: tf.TensorInfo,
  shift: tf.TensorInfo,
  { groups, eps }: { readonly groups: number; readonly eps: number },
): tf.TensorInfo | null {
  const backend = webGpuBackend();
  const variant = kernelVariant(backend);
  if (variant === 'composed' || elementCount(x.shape) === 0) return null;
  const results = deferredResults(backend);
  results.force(x.dataId);
  const sizes = groupNormSizes(x, { groups, eps });
  const choice = { variant, features: shaderFeatures(backend) };
  return results.add(x.shape, new DeferredNorm(backend, choice, sizes, [x, scale, shift]));
}

/** What the norm is computed of, x, scale and shift, while the data waits for a norm without an activation. */
export function waitingNorm({ dataId }: tf.TensorInfo): readonly tf.TensorInfo[] | null {
  const source = deferredResults(webGpuBackend()).of(dataId);
  return source instanceof DeferredNorm && !source.activation ? source.inputs : null;
}

/** activation(x) in the norm that x waits for; null when it waits for none that can take it. */
export function activateNorm(x: tf.TensorInfo, activation: Activation): tf.TensorInfo | null {
  const results = deferredResults(webGpuBackend());
  const source = results.of(x.dataId);
  if (!(source instanceof DeferredNorm) || source.activation) return null;
  return results.add(x.shape, source.activated(activation));
}
