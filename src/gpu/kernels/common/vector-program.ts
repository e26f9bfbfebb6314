import { type CountedProgram, integers, type Traffic, type UniformData } from './gpu-program';

const WORKGROUP = 64;

interface VectorWork {
  readonly operands: readonly string[];
  /** Threads, each with its own vector of four. */
  readonly vectors: number;
  /** Vectors that are written; default: one a thread. */
  readonly written?: number;
  readonly shaderKey: string;
  /** Further integers for the shader. */
  readonly sizes?: Readonly<Record<string, number>>;
  readonly traffic: Omit<Traffic, 'workgroupBytes'>;
}

/** A program in which a thread takes a vector of each operand, with nothing shared between threads: one pass. */
export abstract class VectorProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
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
    written = vectors,
    shaderKey,
    sizes = {},
    traffic,
  }: VectorWork) {
    this.variableNames = [...operands];
    this.variableComponents = operands.map(() => 4);
    this.outputShape = [4 * written];
    this.dispatch = [Math.ceil(vectors / WORKGROUP), 1, 1];
    this.uniforms = ['vectors', ...Object.keys(sizes)].map((name) => `${name} : i32,`).join(' ');
    this.uniformData = integers(vectors, ...Object.values(sizes));
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
  protected abstract functions(): string;

  /** WGSL of the thread `index`. */
  protected abstract body(): string;
}
