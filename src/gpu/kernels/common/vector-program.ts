import { type CountedProgram, float, integers, type Traffic, type UniformData } from './gpu-program';

const WORKGROUP = 64;

interface VectorWork {
  readonly operands: readonly string[];
  /** Threads, each with its own vector. */
  readonly vectors: number;
  /** Values of a vector; default: 4. */
  readonly component?: 1 | 4;
  /** Vectors that are written; default: one a thread. */
  readonly written?: number;
  readonly shaderKey: string;
  /** Further integers for the shader. */
  readonly sizes?: Readonly<Record<string, number>>;
  /** Further float32 numbers, behind the integers. */
  readonly factors?: Readonly<Record<string, number>>;
  readonly traffic: Omit<Traffic, 'workgroupBytes'>;
}

/** A program in which a thread takes a vector of each operand, with nothing shared between threads: one pass. */
export abstract class VectorProgram implements CountedProgram {
  readonly variableNames: string[];
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

  protected constructor({
    operands,
    vectors,
    component = 4,
    written = vectors,
    shaderKey,
    sizes = {},
    factors = {},
    traffic,
  }: VectorWork) {
    this.variableNames = [...operands];
    this.variableComponents = operands.map(() => component);
    this.outputComponent = component;
    this.outputShape = [component * written];
    this.dispatch = [Math.ceil(vectors / WORKGROUP), 1, 1];
    const declared = (names: readonly string[], type: string): string[] =>
      names.map((name) => `${name} : ${type},`);
    this.uniforms = [
      ...declared(['vectors', ...Object.keys(sizes)], 'i32'),
      ...declared(Object.keys(factors), 'f32'),
    ].join(' ');
    this.uniformData = [...integers(vectors, ...Object.values(sizes)), ...Object.values(factors).map(float)];
    this.shaderKey = shaderKey;
    this.traffic = { ...traffic, workgroupBytes: 0 };
  }

  getUserCode(): string {
    return `
      ${this.functions()}
      fn main(index : i32) {
        if (index >= uniforms.vectors) { return; }
        ${this.body()}
      }`;
  }

  /** WGSL before `main`. */
  protected functions(): string {
    return '';
  }

  /** WGSL of the thread `index`. */
  protected abstract body(): string;
}
