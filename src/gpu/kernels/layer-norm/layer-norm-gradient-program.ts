/**
 * Gradients of layer norm and RMS norm in one dispatch. Of x: a row is summed for its mean and deviation, then for the
 * means of the gradient along the mean and along the normalised values, then written: four reads of x, two of dy, one
 * write. Of the weight, before the sum over rows: three, one, one.
 *
 * tiles: a workgroup a row, its sums joined in workgroup memory. registers: a thread a row.
 */
import type { CountedProgram, Traffic, UniformData } from '../common/gpu-program';
import type { KernelChoice } from '../common/kernel-variant';
import { ROW_UNIFORMS, type RowNormOptions, rowDispatch, rowSource, rowUniforms } from './layer-norm-source';

export class RowNormGradientProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = ROW_UNIFORMS;
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  /**
   * @param width a multiple of four
   * @param of `weight`: what is summed over rows, of x's shape
   * @param addsResidual a last operand, which is added to the result
   */
  constructor(
    private readonly choice: KernelChoice,
    rows: number,
    width: number,
    private readonly of: 'x' | 'weight',
    private readonly options: RowNormOptions,
    private readonly addsResidual = false,
  ) {
    const { variant, features } = choice;
    const { workgroupSize, dispatch, workgroupBytes } = rowDispatch(variant, rows);
    const count = rows * width;
    const residual = addsResidual ? ['residual'] : [];
    this.variableNames = ['x', 'dy', ...(of === 'x' ? ['scale'] : []), ...residual];
    this.variableComponents = this.variableNames.map(() => 4);
    this.outputShape = [count];
    this.workgroupSize = workgroupSize;
    this.dispatch = dispatch;
    this.uniformData = rowUniforms(rows, width, options);
    this.shaderKey = `rowNorm gradient ${of} ${variant} ${features.subgroups} ${options.centre} ${addsResidual}`;
    this.traffic = {
      flops: (of === 'x' ? 20 : 8) * count,
      readBytes: ((of === 'x' ? 32 : 16) + 4 * residual.length) * count,
      writeBytes: 4 * count,
      workgroupBytes,
      registerBytes: 128,
    };
  }

  getUserCode(): string {
    const { declarations, statistics, each, joinAgain, refine } = rowSource(this.choice, this.options);
    const residual = this.addsResidual ? ' + residual[first + i]' : '';
    const normal = 'let normal = (x[first + i] - offset - mean) * inverse;';
    const ofWeight = each(`${normal}
          result[first + i] = dy[first + i] * normal${residual};`);
    const ofX = `
        sums = vec2<f32>(0.0);
        ${each(`${normal}
          let dNormal = dy[first + i] * scale[i];
          sums += vec2<f32>(dot(dNormal, vec4<f32>(1.0)), dot(dNormal, normal));`)}
        ${joinAgain}
        let means = sums / values;
        ${each(`${normal}
          let across = dy[first + i] * scale[i]${this.options.centre ? ' - means.x' : ''};
          result[first + i] = (across - normal * means.y) * inverse${residual};`)}`;
    return `
      ${declarations}
      fn main(index : i32) {
        ${statistics}
        ${refine}
        ${this.of === 'x' ? ofX : ofWeight}
      }`;
  }
}
