import { type CountedProgram, integers, type Traffic, type UniformData } from '../common/gpu-program';

/** Running sums: enough threads to keep a GPU's memory busy. */
const SUMS = 16_384;
const WORKGROUP = 64;

/**
 * Running sums of squares [SUMS], and those of one tensor's values on top: a thread takes every SUMS-th vector, or value
 * where they are no vectors. One dispatch a tensor of any size, in a fixed order; who has given all adds the sums up.
 */
export class SumOfSquaresProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputShape = [SUMS];
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number] = [SUMS / WORKGROUP, 1, 1];
  readonly uniforms = 'vectors : i32,';
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;
  private readonly component: number;

  /** @param goesOn whether there are sums before it, the second operand */
  constructor(
    count: number,
    private readonly goesOn: boolean,
  ) {
    this.component = count % 4 === 0 ? 4 : 1;
    this.variableNames = goesOn ? ['x', 'before'] : ['x'];
    this.variableComponents = goesOn ? [this.component, 1] : [this.component];
    this.uniformData = integers(count / this.component);
    this.shaderKey = `sum of squares ${this.component} ${goesOn}`;
    this.traffic = {
      flops: 2 * count,
      readBytes: 4 * count + (goesOn ? 4 * SUMS : 0),
      writeBytes: 4 * SUMS,
      workgroupBytes: 0,
      registerBytes: 64,
    };
  }

  getUserCode(): string {
    const square = this.component === 4 ? 'dot(x[i], x[i])' : 'x[i] * x[i]';
    return `
      fn main(index : i32) {
        if (index >= ${SUMS}) { return; }
        var sum = ${this.goesOn ? 'before[index]' : '0.0'};
        for (var i = index; i < uniforms.vectors; i += ${SUMS}) { sum += ${square}; }
        result[index] = sum;
      }`;
  }
}
