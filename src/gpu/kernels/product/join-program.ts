import { type CountedProgram, integers, type Traffic, type UniformData } from '../common/gpu-program';
import { type ProductGeometry, rowsOf } from './product-program';
import { epilogueSource, type ProductEpilogue } from './product-source';

const WORKGROUP = 64;

/** Adds up the parts of a split product, in their order, and finishes the sums: a thread four values, one pass. */
export class JoinProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'rows : i32, rowsPerItem : i32, outC : i32, parts : i32,';
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  constructor(
    geometry: ProductGeometry,
    private readonly epilogue: ProductEpilogue,
    parts: number,
  ) {
    const { outChannels, outSize } = geometry;
    const { operands, vector, activation, residual } = epilogue;
    const rows = rowsOf(geometry);
    const count = rows * outChannels;
    this.variableNames = ['sums', ...operands];
    this.variableComponents = this.variableNames.map(() => 4);
    this.outputShape = [count];
    this.dispatch = [Math.ceil(count / 4 / WORKGROUP), 1, 1];
    const rowsPerItem = vector === 'each item' ? outSize[0] * outSize[1] : rows;
    this.uniformData = integers(rows, rowsPerItem, outChannels / 4, parts);
    this.shaderKey = `join product ${activation} ${operands}`;
    this.traffic = {
      flops: parts * count,
      readBytes: 4 * count * (parts + (residual ? 1 : 0)),
      writeBytes: 4 * count,
      workgroupBytes: 0,
      registerBytes: 64,
    };
  }

  getUserCode(): string {
    return `
      ${epilogueSource(this.epilogue)}
      fn main(index : i32) {
        let row = index / uniforms.outC;
        if (row >= uniforms.rows) { return; }
        var sum = vec4<f32>(0.0);
        for (var part = 0; part < uniforms.parts; part++) {
          sum += sums[part * uniforms.rows * uniforms.outC + index];
        }
        finish(row, index - row * uniforms.outC, sum, 0);
      }`;
  }
}
