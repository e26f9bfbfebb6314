/**
 * Gradients of a group norm, and of the activation behind it, in one dispatch. Of x: a group of an item is summed for
 * its mean and deviation, then for the means of the gradient along the mean and along the normalised values, then
 * written: four reads of x, two of dy, one write. Of the weight, before the sum over items and positions: three, one, one.
 *
 * What an activation was given is made anew from x, so nobody has to keep or compute it.
 */
import type { Activation } from '../activations/activation';
import { type CountedProgram, slopeSource, type Traffic, type UniformData } from '../common/gpu-program';
import type { KernelChoice } from '../common/kernel-variant';
import {
  GROUP_UNIFORMS,
  type GroupNormSizes,
  groupDispatch,
  groupSource,
  groupUniforms,
} from './group-norm-source';

/** What the program reads beside x and dy. */
export function gradientOperands(
  of: 'x' | 'weight',
  activation: Activation | undefined,
): readonly ('scale' | 'shift')[] {
  if (activation) return ['scale', 'shift'];
  return of === 'x' ? ['scale'] : [];
}

export class GroupNormGradientProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = GROUP_UNIFORMS;
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  /**
   * @param of `weight`: what is summed over items and positions, of x's shape
   * @param addsResidual a last operand, which is added to the result
   */
  constructor(
    private readonly choice: KernelChoice,
    sizes: GroupNormSizes,
    private readonly of: 'x' | 'weight',
    private readonly activation: Activation | undefined,
    private readonly addsResidual = false,
  ) {
    const { batch, positions, channels } = sizes;
    const { workgroupSize, dispatch, workgroupBytes } = groupDispatch(choice, sizes);
    const count = batch * positions * channels;
    const residual = addsResidual ? ['residual'] : [];
    this.variableNames = ['x', 'dy', ...gradientOperands(of, activation), ...residual];
    this.variableComponents = this.variableNames.map(() => 1);
    this.outputShape = [count];
    this.workgroupSize = workgroupSize;
    this.dispatch = dispatch;
    this.uniformData = groupUniforms(sizes);
    this.shaderKey = `groupNorm gradient ${of} ${choice.variant} ${choice.features.subgroups} ${activation} ${addsResidual}`;
    const reads = (of === 'x' ? 6 : 4) + residual.length;
    this.traffic = {
      flops: (of === 'x' ? 24 : 10) * count,
      readBytes: 4 * reads * count + 8 * channels * batch,
      writeBytes: 4 * count,
      workgroupBytes,
      registerBytes: 96,
    };
  }

  getUserCode(): string {
    const { declarations, statistics, each, joinAgain, refine } = groupSource(this.choice);
    const { activation } = this;
    const residual = this.addsResidual ? ' + residual[position]' : '';
    const values = `
          let normal = (x[position] - offset - mean) * inverse;
          let dNormed = dy[position]${activation ? ' * slope(vec4<f32>(normal * scale[c] + shift[c])).x' : ''};`;
    const ofWeight = each(`${values}
          result[position] = dNormed * normal${residual};`);
    const ofX = `
        sums = vec2<f32>(0.0);
        ${each(`${values}
          let dNormal = dNormed * scale[c];
          sums += vec2<f32>(dNormal, dNormal * normal);`)}
        ${joinAgain}
        let means = sums / values;
        ${each(`${values}
          result[position] = (dNormed * scale[c] - means.x - normal * means.y) * inverse${residual};`)}`;
    return `
      ${declarations}
      ${activation ? slopeSource(activation) : ''}
      fn main(index : i32) {
        ${statistics}
        ${refine}
        ${this.of === 'x' ? ofX : ofWeight}
      }`;
  }
}
