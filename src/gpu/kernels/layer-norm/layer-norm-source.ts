/** What the programs of layer norms, RMS norms and their gradients have in common: a row, its mean and deviation. */
import { float, integers, type UniformData } from '../common/gpu-program';
import { joinSums } from '../common/join-sums';
import type { KernelChoice, KernelVariant } from '../common/kernel-variant';
import { enableLines } from '../common/shader-extensions';

export interface RowNormOptions {
  readonly eps: number;
  /** Whether the mean is removed. */
  readonly centre: boolean;
}

/** Of a workgroup. tiles: a workgroup a row. registers: a thread a row. */
const THREADS = { tiles: 64, registers: 4, composed: 1 };

export const ROW_UNIFORMS = 'rows : i32, vectors : i32, eps : f32,';

/** @param width a multiple of four */
export function rowUniforms(rows: number, width: number, { eps }: RowNormOptions): UniformData[] {
  return [...integers(rows, width / 4), float(eps)];
}

/** How a program over rows is dispatched, and the workgroup memory that its sums take. */
export function rowDispatch(
  variant: KernelVariant,
  rows: number,
): { workgroupSize: [number, number, number]; dispatch: [number, number, number]; workgroupBytes: number } {
  const threads = THREADS[variant];
  return {
    workgroupSize: [threads, 1, 1],
    dispatch: [variant === 'tiles' ? rows : Math.ceil(rows / threads), 1, 1],
    workgroupBytes: variant === 'tiles' ? 8 * threads : 0,
  };
}

interface RowSource {
  /** Goes before `fn main`. */
  readonly declarations: string;
  /**
   * Goes first in `fn main(index : i32)`. Sums the row, its first value taken off where the mean is removed, so that
   * E[x^2] - E[x]^2 does not cancel; leaves `offset`, `mean`, `inverse` and the row's `values`. All threads arrive at its
   * end.
   */
  readonly statistics: string;
  /** Goes behind `statistics`: mean and deviation once more, now with nearly all of the mean taken off. */
  readonly refine: string;
  /** A loop over the thread's vectors `i` of its row, which begins at `first`. */
  each(body: string): string;
  /** Once more: `sums` of all threads of the row, in each of them; all threads have to arrive. */
  readonly joinAgain: string;
}

/** WGSL of a program whose first operand is x, in vectors of four. */
export function rowSource({ variant, features }: KernelChoice, { centre }: RowNormOptions): RowSource {
  const tiles = variant === 'tiles';
  const threads = THREADS[variant];
  const subgroups = tiles && features.subgroups;
  const each = (body: string): string => `
        for (var i = own; i < count; i += ${tiles ? threads : 1}) {
          ${body}
        }`;
  const join = tiles ? `{ ${joinSums(threads, subgroups)} }` : '';
  return {
    declarations: `
      ${enableLines({ f16: false, subgroups })}
      ${tiles ? `var<workgroup> partial : array<vec2<f32>, ${threads}>;` : ''}`,
    each,
    refine: centre
      ? `
        sums = vec2<f32>(0.0);
        ${each(`
          let d = x[first + i] - offset - mean;
          sums += vec2<f32>(dot(d, vec4<f32>(1.0)), dot(d, d));`)}
        ${tiles ? `workgroupBarrier(); ${join}` : ''}
        let rest = sums / values;
        mean += rest.x;
        inverse = 1.0 / sqrt(max(rest.y - rest.x * rest.x, 0.0) + uniforms.eps);`
      : '',
    // Nobody may still read what the sums before left in workgroup memory.
    joinAgain: tiles ? `workgroupBarrier(); ${join}` : '',
    statistics: `
        let row = ${tiles ? `index / ${threads}` : 'index'};
        let own = ${tiles ? 'i32(localIndex)' : '0'};
        let isInside = row < uniforms.rows;
        ${tiles ? '' : 'if (!isInside) { return; }'}
        let first = min(row, uniforms.rows - 1) * uniforms.vectors;
        let count = select(0, uniforms.vectors, isInside);
        let offset = ${centre ? 'x[first].x' : '0.0'};
        var sums = vec2<f32>(0.0);
        ${each(`
          let d = x[first + i] - offset;
          sums += vec2<f32>(dot(d, vec4<f32>(1.0)), dot(d, d));`)}
        ${join}
        let values = f32(uniforms.vectors * 4);
        var mean = ${centre ? 'sums.x / values' : '0.0'};
        var inverse = 1.0 / sqrt(max(sums.y / values - mean * mean, 0.0) + uniforms.eps);`,
  };
}
