/**
 * The sum over rows, [rows, C] -> [C], in one dispatch and a fixed order. tiles: a workgroup two vectors of four
 * channels, each thread a part of the rows, the parts joined by halves. registers: a thread four channels.
 */
import { type CountedProgram, integers, type Traffic, type UniformData } from '../common/gpu-program';
import type { KernelVariant } from '../common/kernel-variant';

/** Two vectors are what a GPU reads at once. */
const VECTORS = 2;
const THREADS = { tiles: 256, registers: 4, composed: 1 };

export class SumOverRowsProgram implements CountedProgram {
  readonly variableNames = ['x'];
  readonly variableComponents = [4];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'rows : i32, vectors : i32,';
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;

  /** @param channels a multiple of four */
  constructor(
    private readonly variant: KernelVariant,
    rows: number,
    channels: number,
  ) {
    const threads = THREADS[variant];
    const vectors = channels / 4;
    this.outputShape = [channels];
    this.workgroupSize = [threads, 1, 1];
    this.dispatch = [Math.ceil(vectors / (variant === 'tiles' ? VECTORS : threads)), 1, 1];
    this.uniformData = integers(rows, vectors);
    this.shaderKey = `sum over rows ${variant}`;
    this.traffic = {
      flops: rows * channels,
      readBytes: 4 * rows * channels,
      writeBytes: 4 * channels,
      workgroupBytes: variant === 'tiles' ? 16 * threads : 0,
      registerBytes: 64,
    };
  }

  getUserCode(): string {
    return this.variant === 'tiles' ? joined() : alone;
  }
}

const alone = `
      fn main(index : i32) {
        if (index >= uniforms.vectors) { return; }
        var sum = vec4<f32>(0.0);
        for (var row = 0; row < uniforms.rows; row++) { sum += x[row * uniforms.vectors + index]; }
        result[index] = sum;
      }`;

function joined(): string {
  const threads = THREADS.tiles;
  const lanes = threads / VECTORS;
  const halvings: string[] = [];
  for (let half = lanes / 2; half >= 1; half /= 2) {
    halvings.push(`
        if (lane < ${half}) { partial[own] += partial[own + ${half * VECTORS}]; }
        workgroupBarrier();`);
  }
  return `
      var<workgroup> partial : array<vec4<f32>, ${threads}>;
      fn main(index : i32) {
        let own = i32(localIndex);
        let lane = own / ${VECTORS};
        let vector = index / ${threads} * ${VECTORS} + own % ${VECTORS};
        var sum = vec4<f32>(0.0);
        if (vector < uniforms.vectors) {
          for (var row = lane; row < uniforms.rows; row += ${lanes}) { sum += x[row * uniforms.vectors + vector]; }
        }
        partial[own] = sum;
        workgroupBarrier();${halvings.join('')}
        if (lane == 0 && vector < uniforms.vectors) { result[vector] = partial[own]; }
      }`;
}
