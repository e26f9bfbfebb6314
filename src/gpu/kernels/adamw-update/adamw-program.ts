import { type CountedProgram, float, integers, type Traffic, type UniformData } from '../common/gpu-program';

const WORKGROUP = 64;

/**
 * One result of a step of AdamW for one weight: a thread computes the expression for four values, or for one where they
 * are no vectors; one pass.
 */
export class AdamWProgram implements CountedProgram {
  readonly variableComponents: number[];
  readonly outputComponent: number;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number] = [WORKGROUP, 1, 1];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms: string;
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  /**
   * @param variableNames of the operands
   * @param expression WGSL of the operands at `[index]` and of `uniforms.<factor>`
   * @param factors float32, by the names that the expression has for them
   */
  constructor(
    count: number,
    readonly variableNames: string[],
    private readonly expression: string,
    factors: Readonly<Record<string, number>>,
  ) {
    const component = count % 4 === 0 ? 4 : 1;
    this.variableComponents = variableNames.map(() => component);
    this.outputComponent = component;
    this.outputShape = [count];
    const vectors = count / component;
    this.dispatch = [Math.ceil(vectors / WORKGROUP), 1, 1];
    this.uniforms = `vectors : i32, ${Object.keys(factors)
      .map((name) => `${name} : f32,`)
      .join(' ')}`;
    this.uniformData = [...integers(vectors), ...Object.values(factors).map(float)];
    this.shaderKey = `adamW ${component} ${expression}`;
    this.traffic = {
      flops: 8 * count,
      readBytes: 4 * variableNames.length * count,
      writeBytes: 4 * count,
      workgroupBytes: 0,
      registerBytes: 96,
    };
  }
  getUserCode(): string {
    return `
      fn main(index : i32) {
        if (index < uniforms.vectors) { result[index] = ${this.expression}; }
      }`;
  }
}
