/**
 * Group norm in one dispatch: a group of an item is summed (the first value taken off, so that E[x^2] - E[x]^2 does
 * not cancel), then read again, normalised, scaled, shifted and activated. Two reads and one write of x.
 *
 * tiles: a workgroup a group, its sums joined in workgroup memory (common/join-sums.ts). registers: a thread a group.
 */
import type { Activation } from '../activations/activation';
import {
  activationSource,
  type CountedProgram,
  float,
  integers,
  type Traffic,
  type UniformData,
} from '../common/gpu-program';
import { joinSums } from '../common/join-sums';
import type { KernelChoice } from '../common/kernel-variant';
import { enableLines } from '../common/shader-extensions';

export interface GroupNormSizes {
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
  readonly eps: number;
}

const THREADS = { tiles: 256, registers: 4, composed: 1 };

export class GroupNormProgram implements CountedProgram {
  readonly variableNames = ['x', 'scale', 'shift'];
  readonly variableComponents = [1, 1, 1];
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'norms : i32, groups : i32, positions : i32, channels : i32, width : i32, eps : f32,';
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  constructor(
    private readonly choice: KernelChoice,
    { batch, positions, channels, groups, eps }: GroupNormSizes,
    private readonly activation: Activation | undefined,
  ) {
    const { variant, features } = choice;
    const count = batch * positions * channels;
    const norms = batch * groups;
    const threads = THREADS[variant];
    this.outputShape = [count];
    this.workgroupSize = [threads, 1, 1];
    this.dispatch = [variant === 'tiles' ? norms : Math.ceil(norms / threads), 1, 1];
    this.uniformData = [...integers(norms, groups, positions, channels, channels / groups), float(eps)];
    this.shaderKey = `groupNorm ${variant} ${features.subgroups} ${activation}`;
    this.traffic = {
      flops: 8 * count,
      readBytes: 8 * count + 8 * channels * batch,
      writeBytes: 4 * count,
      workgroupBytes: variant === 'tiles' ? 8 * threads : 0,
      registerBytes: 64,
    };
  }

  getUserCode(): string {
    const { variant, features } = this.choice;
    const step = THREADS[variant];
    const tiles = variant === 'tiles';
    const subgroups = tiles && features.subgroups;
    return `
      ${enableLines({ f16: false, subgroups })}
      ${activationSource(this.activation)}
      ${tiles ? `var<workgroup> partial : array<vec2<f32>, ${step}>;` : ''}
      fn at(first : i32, i : i32) -> i32 {
        let position = i / uniforms.width;
        return first + position * uniforms.channels + (i - position * uniforms.width);
      }
      fn main(index : i32) {
        let norm = ${tiles ? `index / ${step}` : 'index'};
        let own = ${tiles ? 'i32(localIndex)' : '0'};
        ${tiles ? '' : 'if (norm >= uniforms.norms) { return; }'}
        let item = norm / uniforms.groups;
        let channel = (norm - item * uniforms.groups) * uniforms.width;
        let first = item * uniforms.positions * uniforms.channels + channel;
        let count = uniforms.positions * uniforms.width;
        let offset = x[min(first, i32(arrayLength(&x)) - 1)];
        var sums = vec2<f32>(0.0);
        if (norm < uniforms.norms) {
          for (var i = own; i < count; i += ${tiles ? step : 1}) {
            let d = x[at(first, i)] - offset;
            sums += vec2<f32>(d, d * d);
          }
        }
        ${tiles ? joinSums(step, subgroups) : ''}
        if (norm >= uniforms.norms) { return; }
        let mean = sums.x / f32(count);
        let variance = max(sums.y / f32(count) - mean * mean, 0.0);
        let inverse = 1.0 / sqrt(variance + uniforms.eps);
        for (var i = own; i < count; i += ${tiles ? step : 1}) {
          let position = at(first, i);
          let c = channel + i % uniforms.width;
          let y = (x[position] - offset - mean) * inverse * scale[c] + shift[c];
          result[position] = activate(vec4<f32>(y)).x;
        }
      }`;
  }
}
