/** Activations on WebGPU: inside the product or norm that computes x while that still waits, else one pass over x. */
import type * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import {
  activationSource,
  type CountedProgram,
  integers,
  runProgram,
  type Traffic,
  webGpuBackend,
} from '../common/gpu-program';
import { kernelVariant } from '../common/kernel-variant';
import { activateNorm } from '../group-norm/group-norm-on-gpu';
import { activateProduct } from '../product/product';
import type { Activation } from './activation';

const WORKGROUP = 64;

/** One thread reads four values and writes four: memory-bound, one pass. */
class ActivationProgram implements CountedProgram {
  readonly variableNames = ['x'];
  readonly variableComponents = [4];
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
    this.shaderKey = `activation ${activation}`;
    this.traffic = {
      flops: 8 * count,
      readBytes: 4 * count,
      writeBytes: 4 * count,
      workgroupBytes: 0,
      registerBytes: 64,
    };
  }

  getUserCode(): string {
    return `
      ${activationSource(this.activation)}
      fn main(index : i32) {
        if (index < uniforms.vectors) { result[index] = activate(x[index]); }
      }`;
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
