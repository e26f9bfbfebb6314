/** Gradients of activations on WebGPU: one pass, or none where the norm in front of the activation takes it over. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { type Deferred, deferredResults } from '../common/deferred';
import {
  type CountedProgram,
  integers,
  runProgram,
  slopeSource,
  type Traffic,
  webGpuBackend,
} from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { waitingNorm } from '../group-norm/group-norm-on-gpu';
import type { Activation } from './activation';

const WORKGROUP = 64;

/** dy * f'(x): one thread reads four values of each and writes four. */
class ActivationGradientProgram implements CountedProgram {
  readonly variableNames = ['dy', 'x'];
  readonly variableComponents = [4, 4];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'vectors : i32,';
  readonly uniformData;
  shaderKey: string;
  readonly traffic: Traffic;

  constructor(
    count: number,
    private readonly activation: Activation,
  ) {
    this.outputShape = [count];
    this.dispatch = [Math.ceil(count / 4 / WORKGROUP), 1, 1];
    this.uniformData = integers(count / 4);
    this.shaderKey = `activation gradient ${activation}`;
    this.traffic = {
      flops: 12 * count,
      readBytes: 8 * count,
      writeBytes: 4 * count,
      workgroupBytes: 0,
      registerBytes: 96,
    };
  }

  getUserCode(): string {
    return `
      ${slopeSource(this.activation)}
      fn main(index : i32) {
        if (index < uniforms.vectors) { result[index] = dy[index] * slope(x[index]); }
      }`;
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
