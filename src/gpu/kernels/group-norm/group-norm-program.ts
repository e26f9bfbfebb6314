/**
 * Group norm in one dispatch: a group of an item is summed, then read again, normalised, scaled, shifted and activated.
 * Two reads and one write of x.
 */
import type { Activation } from '../activations/activation';
import { activationSource, type CountedProgram, type Traffic, type UniformData } from '../common/gpu-program';
import type { KernelChoice } from '../common/kernel-variant';
import {
  GROUP_UNIFORMS,
  type GroupNormSizes,
  groupDispatch,
  groupSource,
  groupUniforms,
} from './group-norm-source';

export class GroupNormProgram implements CountedProgram {
  readonly variableNames = ['x', 'scale', 'shift'];
  readonly variableComponents = [1, 1, 1];
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = GROUP_UNIFORMS;
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  constructor(
    private readonly choice: KernelChoice,
    sizes: GroupNormSizes,
    private readonly activation: Activation | undefined,
  ) {
    const { batch, positions, channels } = sizes;
    const { workgroupSize, dispatch, workgroupBytes } = groupDispatch(choice, sizes);
    const count = batch * positions * channels;
    this.outputShape = [count];
    this.workgroupSize = workgroupSize;
    this.dispatch = dispatch;
    this.uniformData = groupUniforms(sizes);
    this.shaderKey = `groupNorm ${choice.variant} ${choice.features.subgroups} ${activation}`;
    this.traffic = {
      flops: 8 * count,
      readBytes: 8 * count + 8 * channels * batch,
      writeBytes: 4 * count,
      workgroupBytes,
      registerBytes: 64,
    };
  }

  getUserCode(): string {
    const { declarations, statistics, each } = groupSource(this.choice);
    return `
      ${declarations}
      ${activationSource(this.activation)}
      fn main(index : i32) {
        ${statistics}
        ${each(`
          let y = (x[position] - offset - mean) * inverse * scale[c] + shift[c];
          result[position] = activate(vec4<f32>(y)).x;`)}
      }`;
  }
}
