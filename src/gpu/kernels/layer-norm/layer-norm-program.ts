/**
 * Layer norm and RMS norm in one dispatch: a row is summed, read again, normalised, scaled and shifted. Two reads and one
 * write of x.
 */
import type { CountedProgram, Traffic, UniformData } from '../common/gpu-program';
import type { KernelChoice } from '../common/kernel-variant';
import { ROW_UNIFORMS, type RowNormOptions, rowDispatch, rowSource, rowUniforms } from './layer-norm-source';

export class RowNormProgram implements CountedProgram {
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

  /** @param width a multiple of four */
  constructor(
    private readonly choice: KernelChoice,
    rows: number,
    width: number,
    private readonly hasShift: boolean,
    private readonly options: RowNormOptions,
  ) {
    const { variant, features } = choice;
    const { workgroupSize, dispatch, workgroupBytes } = rowDispatch(variant, rows);
    this.variableNames = hasShift ? ['x', 'scale', 'shift'] : ['x', 'scale'];
    this.variableComponents = this.variableNames.map(() => 4);
    this.outputShape = [rows * width];
    this.workgroupSize = workgroupSize;
    this.dispatch = dispatch;
    this.uniformData = rowUniforms(rows, width, options);
    this.shaderKey = `rowNorm ${variant} ${features.subgroups} ${options.centre} ${hasShift}`;
    this.traffic = {
      flops: 8 * rows * width,
      readBytes: rows * width * (8 + (hasShift ? 8 : 4)),
      writeBytes: 4 * rows * width,
      workgroupBytes,
      registerBytes: 96,
    };
  }

  getUserCode(): string {
    const { declarations, statistics, each } = rowSource(this.choice, this.options);
    const shift = this.hasShift ? ' + shift[i]' : '';
    return `
      ${declarations}
      fn main(index : i32) {
        ${statistics}
        ${each(`result[first + i] = (x[first + i] - offset - mean) * inverse * scale[i]${shift};`)}
      }`;
  }
}
