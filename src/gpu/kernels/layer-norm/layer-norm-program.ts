/**
 * Layer norm and RMS norm in one dispatch: a row is summed (its first value taken off where the mean is removed, so
 * that E[x^2] - E[x]^2 does not cancel), read again, normalised, scaled and shifted. Two reads and one write of x.
 *
 * tiles: a workgroup a row, its sums joined in workgroup memory. registers: a thread a row.
 */
import { type CountedProgram, float, integers, type Traffic, type UniformData } from '../common/gpu-program';
import { joinSums } from '../common/join-sums';
import type { KernelChoice } from '../common/kernel-variant';
import { enableLines } from '../common/shader-extensions';

export interface RowNormOptions {
  readonly eps: number;
  readonly centre: boolean;
}

const THREADS = { tiles: 64, registers: 4, composed: 1 };

export class RowNormProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms = 'rows : i32, vectors : i32, eps : f32,';
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
    const threads = THREADS[variant];
    this.variableNames = hasShift ? ['x', 'scale', 'shift'] : ['x', 'scale'];
    this.variableComponents = this.variableNames.map(() => 4);
    this.outputShape = [rows * width];
    this.workgroupSize = [threads, 1, 1];
    this.dispatch = [variant === 'tiles' ? rows : Math.ceil(rows / threads), 1, 1];
    this.uniformData = [...integers(rows, width / 4), float(options.eps)];
    this.shaderKey = `rowNorm ${variant} ${features.subgroups} ${options.centre} ${hasShift}`;
    this.traffic = {
      flops: 8 * rows * width,
      readBytes: rows * width * (8 + (hasShift ? 8 : 4)),
      writeBytes: 4 * rows * width,
      workgroupBytes: variant === 'tiles' ? 8 * threads : 0,
      registerBytes: 96,
    };
  }

  getUserCode(): string {
    const { variant, features } = this.choice;
    const tiles = variant === 'tiles';
    const subgroups = tiles && features.subgroups;
    const threads = THREADS[variant];
    const { centre } = this.options;
    return `
      ${enableLines({ f16: false, subgroups })}
      ${tiles ? `var<workgroup> partial : array<vec2<f32>, ${threads}>;` : ''}
      fn main(index : i32) {
        let row = ${tiles ? `index / ${threads}` : 'index'};
        let own = ${tiles ? 'i32(localIndex)' : '0'};
        ${tiles ? '' : 'if (row >= uniforms.rows) { return; }'}
        let first = min(row, uniforms.rows - 1) * uniforms.vectors;
        let offset = ${centre ? 'x[first].x' : '0.0'};
        var sums = vec2<f32>(0.0);
        for (var i = own; i < uniforms.vectors; i += ${tiles ? threads : 1}) {
          let d = x[first + i] - offset;
          sums += vec2<f32>(dot(d, vec4<f32>(1.0)), dot(d, d));
        }
        ${tiles ? joinSums(threads, subgroups) : ''}
        if (row >= uniforms.rows) { return; }
        let count = f32(uniforms.vectors * 4);
        let mean = ${centre ? 'sums.x / count' : '0.0'};
        let inverse = 1.0 / sqrt(max(sums.y / count - mean * mean, 0.0) + uniforms.eps);
        for (var i = own; i < uniforms.vectors; i += ${tiles ? threads : 1}) {
          result[first + i] = (x[first + i] - offset - mean) * inverse * scale[i]${this.hasShift ? ' + shift[i]' : ''};
        }
      }`;
  }
}
