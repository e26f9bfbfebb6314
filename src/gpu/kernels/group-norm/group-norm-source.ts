/** What the programs of group norms and of their gradients have in common: a group, and its mean and deviation. */
import { float, integers, type UniformData } from '../common/gpu-program';
import { joinSums } from '../common/join-sums';
import type { KernelChoice } from '../common/kernel-variant';
import { enableLines } from '../common/shader-extensions';

export interface GroupNormSizes {
  readonly batch: number;
  readonly positions: number;
  readonly channels: number;
  readonly groups: number;
  readonly eps: number;
}

/** Of a workgroup. tiles: a workgroup a group. registers: a thread a group. */
const THREADS = { tiles: 256, registers: 4, composed: 1 };
/** Values of a group whose mean is taken off first. One alone may lie three deviations off, and the squares cancel by ten. */
const SAMPLES = 8;
/** Values that one thread adds up before it adds the sums. */
const RUN = 64;

export const GROUP_UNIFORMS =
  'norms : i32, groups : i32, positions : i32, channels : i32, width : i32, eps : f32,';

export function groupUniforms({ batch, positions, channels, groups, eps }: GroupNormSizes): UniformData[] {
  return [...integers(batch * groups, groups, positions, channels, channels / groups), float(eps)];
}

/** How a program over groups is dispatched, and the workgroup memory that its sums take. */
export function groupDispatch(
  { variant }: KernelChoice,
  { batch, groups }: GroupNormSizes,
): { workgroupSize: [number, number, number]; dispatch: [number, number, number]; workgroupBytes: number } {
  const threads = THREADS[variant];
  const norms = batch * groups;
  return {
    workgroupSize: [threads, 1, 1],
    dispatch: [variant === 'tiles' ? norms : Math.ceil(norms / threads), 1, 1],
    workgroupBytes: variant === 'tiles' ? 8 * threads : 0,
  };
}

interface GroupSource {
  /** Goes before `fn main`. */
  readonly declarations: string;
  /**
   * Goes first in `fn main(index : i32)`. Sums the group with the mean of a few of its values taken off, so that
   * E[x^2] - E[x]^2 does not cancel; `normalAt(position)` is the normalised value with what it leaves in `offset`, `mean` and `inverse`.
   * All threads arrive at its end; those without a group have `isInside` false.
   */
  readonly statistics: string;
  /** Goes behind `statistics`: mean and deviation once more, now with nearly all of the mean taken off. */
  readonly refine: string;
  /** A loop over the thread's values of its group, with `position` in x and the channel `c`. */
  each(body: string): string;
  /** Once more: `sums` of all threads of the group, in each of them; all threads have to arrive. */
  readonly joinAgain: string;
}

/** WGSL of a program whose first operand is x. */
export function groupSource({ variant, features }: KernelChoice): GroupSource {
  const tiles = variant === 'tiles';
  const threads = THREADS[variant];
  const subgroups = tiles && features.subgroups;
  const each = (body: string): string => `
        for (var i = own; i < count; i += ${tiles ? threads : 1}) {
          let line = i / uniforms.width;
          let c = channel + i - line * uniforms.width;
          let position = first + line * uniforms.channels + i - line * uniforms.width;
          ${body}
        }`;
  const join = tiles ? `{ ${joinSums(threads, subgroups)} }` : '';
  // A thread of a workgroup has few values; one that has them all adds up run by run, or thousands would round each other.
  const sum = (difference: string): string =>
    tiles
      ? each(`
          let d = ${difference};
          sums += vec2<f32>(d, d * d);`)
      : `
        var run = vec2<f32>(0.0);
        ${each(`
          let d = ${difference};
          run += vec2<f32>(d, d * d);
          if (i % ${RUN} == ${RUN - 1}) {
            sums += run;
            run = vec2<f32>(0.0);
          }`)}
        sums += run;`;
  return {
    declarations: `
      ${enableLines({ f16: false, subgroups })}
      ${tiles ? `var<workgroup> partial : array<vec2<f32>, ${threads}>;` : ''}`,
    each,
    refine: `
        sums = vec2<f32>(0.0);
        {
          ${sum('x[position] - offset - mean')}
        }
        ${tiles ? `workgroupBarrier(); ${join}` : ''}
        let rest = sums / values;
        mean += rest.x;
        inverse = 1.0 / sqrt(max(rest.y - rest.x * rest.x, 0.0) + uniforms.eps);`,
    // Nobody may still read what the sums before left in workgroup memory.
    joinAgain: tiles ? `workgroupBarrier(); ${join}` : '',
    statistics: `
        let norm = ${tiles ? `index / ${threads}` : 'index'};
        let own = ${tiles ? 'i32(localIndex)' : '0'};
        let isInside = norm < uniforms.norms;
        ${tiles ? '' : 'if (!isInside) { return; }'}
        let item = norm / uniforms.groups;
        let channel = (norm - item * uniforms.groups) * uniforms.width;
        let first = item * uniforms.positions * uniforms.channels + channel;
        let count = select(0, uniforms.positions * uniforms.width, isInside);
        var offset = 0.0;
        for (var j = 0; j < ${SAMPLES}; j += 1) {
          let i = j * count / ${SAMPLES};
          let line = i / uniforms.width;
          let position = first + line * uniforms.channels + i - line * uniforms.width;
          offset += x[min(position, i32(arrayLength(&x)) - 1)] / ${SAMPLES}.0;
        }
        var sums = vec2<f32>(0.0);
        ${sum('x[position] - offset')}
        ${join}
        let values = f32(max(count, 1));
        var mean = sums.x / values;
        var inverse = 1.0 / sqrt(max(sums.y / values - mean * mean, 0.0) + uniforms.eps);`,
  };
}
