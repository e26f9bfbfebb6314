/** What the studio's own WGSL programs share: how they are described, counted, and how a tensor is given to one. */
import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import * as tf from '@tensorflow/tfjs-core';
import { elementCount } from '../../../common/assert';
import type { Activation } from '../activations/activation';

/** What one dispatch costs by the program's own loads and stores, whatever a cache may save. */
export interface Traffic {
  readonly flops: number;
  readonly readBytes: number;
  readonly writeBytes: number;
  /** Workgroup memory and registers a thread, in bytes: what bounds how many threads a GPU keeps at once. */
  readonly workgroupBytes: number;
  readonly registerBytes: number;
}

export type UniformData = { type: 'int32' | 'float32'; data: number[] };

/**
 * A program over flat arrays: tensors are given to it as vectors, so that tfjs writes no shape into the shader and one
 * pipeline serves every size; sizes are the program's own uniforms.
 */
export interface CountedProgram extends WebGPUProgram {
  readonly traffic: Traffic;
  readonly uniformData: readonly UniformData[];
}

export const integers = (...values: number[]): UniformData[] =>
  values.map((value) => ({ type: 'int32', data: [value] }));
export const float = (value: number): UniformData => ({ type: 'float32', data: [value] });

/** The tensor's elements as a vector; for packed halves, its words. */
export function flat({ dataId, dtype, shape }: tf.TensorInfo): tf.TensorInfo {
  return { dataId, dtype, shape: [elementCount(shape)] };
}

/** Runs the program; `output` when its data is already named. @returns the result, of `shape` */
export function runProgram(
  backend: WebGPUBackend,
  program: CountedProgram,
  inputs: readonly tf.TensorInfo[],
  shape: readonly number[],
  output?: tf.TensorInfo,
): tf.TensorInfo {
  const { dataId, dtype } = backend.runWebGPUProgram(
    program,
    inputs.map(flat),
    'float32',
    [...program.uniformData],
    output && flat(output),
  );
  return { dataId, dtype, shape: [...shape] };
}

/** `tf.backend()` where WebGPU computes. */
export function webGpuBackend(): WebGPUBackend {
  return tf.backend() as WebGPUBackend;
}

/**
 * WGSL `fn activate(v : vec4<f32>) -> vec4<f32>`. erf after Abramowitz and Stegun 7.1.26 (absolute error 1.5e-7);
 * tanh's argument is bounded, because some drivers overflow in it.
 */
export function activationSource(activation: Activation | undefined): string {
  const bodies: Record<Activation | 'none', string> = {
    none: 'return v;',
    relu: 'return max(v, vec4<f32>(0.0));',
    silu: 'return v / (1.0 + exp(-v));',
    gelu: 'return 0.5 * v * (1.0 + erf(v * 0.7071067811865476));',
    gelu_new:
      'return 0.5 * v * (1.0 + tanh(clamp(0.7978845608028654 * (v + 0.044715 * v * v * v), vec4<f32>(-15.0), vec4<f32>(15.0))));',
  };
  return `
    fn erf(v : vec4<f32>) -> vec4<f32> {
      let a = abs(v);
      let t = 1.0 / (1.0 + 0.3275911 * a);
      let series = ((((1.061405429 * t - 1.453152027) * t) + 1.421413741) * t - 0.284496736) * t + 0.254829592;
      return sign(v) * (1.0 - series * t * exp(-a * a));
    }
    fn activate(v : vec4<f32>) -> vec4<f32> { ${bodies[activation ?? 'none']} }`;
}

/**
 * WGSL `fn activate`, and `fn slope(v : vec4<f32>) -> vec4<f32>`: its derivative. 1 - sigmoid is written as a product, and
 * the tails of gelu_new are set: a rounding of either would be multiplied by v, or by its cube.
 */
export function slopeSource(activation: Activation | undefined): string {
  const bodies: Record<Activation | 'none', string> = {
    none: 'return vec4<f32>(1.0);',
    relu: 'return select(vec4<f32>(0.0), vec4<f32>(1.0), v > vec4<f32>(0.0));',
    silu: `
      let e = exp(min(-v, vec4<f32>(40.0)));
      let gate = 1.0 / (1.0 + e);
      return gate * (1.0 + v * e * gate);`,
    gelu: 'return 0.5 * (1.0 + erf(v * 0.7071067811865476)) + v * exp(-0.5 * v * v) * 0.3989422804014327;',
    gelu_new: `
      let square = v * v;
      let gate = 0.5 + 0.5 * tanh(clamp(0.7978845608028654 * v * (1.0 + 0.044715 * square), vec4<f32>(-15.0), vec4<f32>(15.0)));
      let inner = 1.5957691216057308 * (1.0 + 0.134145 * square);
      let whole = gate * (1.0 + v * (1.0 - gate) * inner);
      return select(whole, step(vec4<f32>(0.0), v), abs(v) > vec4<f32>(7.0));`,
  };
  return `${activationSource(activation)}
    fn slope(v : vec4<f32>) -> vec4<f32> { ${bodies[activation ?? 'none']} }`;
}
