import {
  activationSource,
  type CountedProgram,
  integers,
  slopeSource,
  type Traffic,
  type UniformData,
} from '../common/gpu-program';

const WORKGROUP = 64;

/** [rows, 2 D] -> [rows, D]: a thread reads four values and four gates and writes four results; one pass. */
export class GegluProgram implements CountedProgram {
  readonly variableNames = ['x'];
  readonly variableComponents = [4];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'vectors : i32, width : i32,';
  readonly uniformData: readonly UniformData[];
  shaderKey = 'geglu';
  readonly traffic: Traffic;

  /** @param width D, a multiple of four */
  constructor(rows: number, width: number) {
    const count = rows * width;
    this.outputShape = [count];
    this.dispatch = [Math.ceil(count / 4 / WORKGROUP), 1, 1];
    this.uniformData = integers(count / 4, width / 4);
    this.traffic = {
      flops: 24 * count,
      readBytes: 8 * count,
      writeBytes: 4 * count,
      workgroupBytes: 0,
      registerBytes: 96,
    };
  }

  getUserCode(): string {
    return `
      ${activationSource('gelu')}
      fn main(index : i32) {
        if (index >= uniforms.vectors) { return; }
        let row = index / uniforms.width;
        let at = row * 2 * uniforms.width + (index - row * uniforms.width);
        result[index] = x[at] * activate(x[at + uniforms.width]);
      }`;
  }
}

/** The gradient [rows, 2 D] of x, of both halves: a thread reads four values, gates and dys and writes eight; one pass. */
export class GegluGradientProgram implements CountedProgram {
  readonly variableNames = ['x', 'dy'];
  readonly variableComponents = [4, 4];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'vectors : i32, width : i32,';
  readonly uniformData: readonly UniformData[];
  shaderKey = 'geglu gradient';
  readonly traffic: Traffic;

  /** @param width D, a multiple of four */
  constructor(rows: number, width: number) {
    const count = rows * width;
    this.outputShape = [2 * count];
    this.dispatch = [Math.ceil(count / 4 / WORKGROUP), 1, 1];
    this.uniformData = integers(count / 4, width / 4);
    this.traffic = {
      flops: 48 * count,
      readBytes: 12 * count,
      writeBytes: 8 * count,
      workgroupBytes: 0,
      registerBytes: 128,
    };
  }

  getUserCode(): string {
    return `
      ${slopeSource('gelu')}
      fn main(index : i32) {
        if (index >= uniforms.vectors) { return; }
        let row = index / uniforms.width;
        let at = row * 2 * uniforms.width + (index - row * uniforms.width);
        let gate = x[at + uniforms.width];
        result[at] = dy[index] * activate(gate);
        result[at + uniforms.width] = dy[index] * x[at] * slope(gate);
      }`;
  }
}
