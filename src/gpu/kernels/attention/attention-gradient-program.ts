/**
 * The backward pass of attention without a matrix of scores (Dao, FlashAttention-2, 2023, section 3.1.2): the statistics
 * of each query, then the gradient of q, of k and of v, each computing the probabilities p again.
 *
 *   slope = dy . v, delta = sum over keys of p slope, dScore = p (slope - delta)
 *   dq = sum over keys of dScore k, dk = sum over queries of dScore q, dv = sum over queries of p dy
 *
 * One form serves all four: rows that threads keep in registers, and columns that pass by. dk and dv are programs of their
 * own: a key with its value and both sums are 256 floats at heads of 64, as many as a GPU has registers for a thread.
 *
 * tiles: a workgroup stages 8 columns at a time. From heads of 36 on a row is cut into slices of at most 32 floats of each
 * operand, a thread a slice: three times 32 floats stay in registers, where the whole row would spill. The slices' parts
 * of 8 dot products are exchanged as vectors, which is a tenth of what reading the columns takes at most. registers: a row a
 * thread, columns through the cache.
 *
 * Few rows with many columns leave most of a GPU idle: the columns are split then, and each part's sums are stored.
 */
import { type CountedProgram, float, integers, type Traffic, type UniformData } from '../common/gpu-program';
import type { KernelVariant } from '../common/kernel-variant';
import { type GradientLayout, type GradientOf, gradientSource } from './attention-gradient-source';
import type { HeadStrides } from './attention-heads';
import type { AttentionSizes } from './attention-program';

/** Columns that pass by together. */
const COLUMNS = { tiles: 8, registers: 4, composed: 1 };
const LARGEST_SLICE = 32;

/** Below this many workgroups a desktop GPU has multiprocessors without work. */
const BUSY_GROUPS = 128;
/** A part shorter than this costs more to store than its time saves. */
const LEAST_COLUMNS = 64;
const MOST_PARTS = 16;

/** Into how many parts the columns are split: 1 for all but few rows. */
export function partsFor(of: GradientOf, variant: KernelVariant, sizes: AttentionSizes): number {
  if (variant !== 'tiles' || of === 'statistics') return 1;
  const { rows, columns } = axesOf(of, sizes);
  const { rowsAGroup } = layoutFor(of, variant, sizes);
  const groups = sizes.batch * sizes.heads * Math.ceil(rows / rowsAGroup);
  const wanted = groups >= BUSY_GROUPS ? 1 : Math.ceil((2 * BUSY_GROUPS) / groups);
  return Math.max(1, Math.min(wanted, Math.floor(columns / LEAST_COLUMNS), MOST_PARTS));
}

function axesOf(of: GradientOf, { queries, keys }: AttentionSizes): { rows: number; columns: number } {
  const ofKeys = of === 'k' || of === 'v';
  return ofKeys ? { rows: keys, columns: queries } : { rows: queries, columns: keys };
}

function layoutFor(of: GradientOf, variant: KernelVariant, sizes: AttentionSizes): GradientLayout {
  const { width, valueWidth, biasStrides } = sizes;
  const tiles = variant === 'tiles';
  const widest = Math.max(width, valueWidth);
  const slices = !tiles || widest <= LARGEST_SLICE ? 1 : widest <= 2 * LARGEST_SLICE ? 2 : 4;
  // Slices in four want as much memory for their exchange as 64 threads may have.
  const threads = axesOf(of, sizes).rows >= 1024 && slices < 4 ? 128 : 64;
  return {
    of,
    tiles,
    hasBias: biasStrides !== null,
    vectors: {
      A: width / 4,
      B: valueWidth / 4,
      out: of === 'statistics' ? 1 : (of === 'v' ? valueWidth : width) / 4,
    },
    slices,
    rowsAGroup: tiles ? threads / slices : 16,
    columnsAStep: COLUMNS[variant],
  };
}

export class AttentionGradientProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  readonly uniforms: string;
  readonly uniformData: readonly UniformData[];
  shaderKey: string;
  readonly traffic: Traffic;
  readonly #layout: GradientLayout;

  /**
   * Its inputs: rows of A and of B (dv has none of B), columns of A and of B, the statistics where it is a gradient, the
   * bias where there is one. Its result: vectors (highest score, 1 / sum of powers, delta, 0) of the statistics
   * [B, N, L, 4], or the gradient by `strides.out`, `parts` times.
   */
  constructor(
    of: GradientOf,
    variant: KernelVariant,
    sizes: AttentionSizes,
    strides: Readonly<Record<'q' | 'k' | 'v' | 'dy' | 'out', HeadStrides>>,
    parts = 1,
  ) {
    const { batch, heads, width, valueWidth, scale, biasStrides } = sizes;
    const layout = layoutFor(of, variant, sizes);
    const { rows, columns } = axesOf(of, sizes);
    const { vectors, slices, rowsAGroup, columnsAStep, tiles } = layout;
    this.#layout = layout;
    const ofKeys = of === 'k' || of === 'v';
    const hasStatistics = of !== 'statistics';
    this.variableNames = [
      ...['rowA', ...(of === 'v' ? [] : ['rowB']), 'columnA', 'columnB'],
      ...[...(hasStatistics ? ['statistics'] : []), ...(biasStrides ? ['bias'] : [])],
    ];
    this.variableComponents = this.variableNames.map((name) => (name === 'bias' ? 1 : 4));
    const outCount = batch * heads * rows * vectors.out;
    this.outputShape = [4 * outCount * parts];
    const threads = rowsAGroup * slices;
    this.workgroupSize = [threads, 1, 1];
    const groupsAHead = Math.ceil(rows / rowsAGroup);
    const headCount = batch * heads;
    this.dispatch = [headCount * groupsAHead * parts, 1, 1];
    const columnsAPart = Math.ceil(columns / parts / columnsAStep) * columnsAStep;
    const operands = (
      ofKeys ? ['k', 'v', 'q', 'dy', 'out'] : ['q', 'dy', 'k', 'v', 'out']
    ) as (keyof typeof strides)[];
    const names = ['rowA', 'rowB', 'columnA', 'columnB', 'out'].flatMap((name) =>
      ['Item', 'Head', 'Position'].map((axis) => name + axis),
    );
    const [biasItem, biasHead, biasQuery, biasKey] = biasStrides ?? [0, 0, 0, 0];
    this.uniforms = `${['heads', 'headCount', 'rows', 'columns', 'groupsAHead', 'columnsAPart', 'outCount', ...names, 'biasItem', 'biasHead', 'biasRow', 'biasColumn'].map((name) => `${name} : i32`).join(', ')}, factor : f32,`;
    this.uniformData = [
      ...integers(heads, headCount, rows, columns, groupsAHead, columnsAPart, outCount),
      ...integers(...operands.flatMap((name) => strides[name].map((stride) => stride / 4))),
      ...integers(biasItem, biasHead, ...(ofKeys ? [biasKey, biasQuery] : [biasQuery, biasKey])),
      float(scale),
    ];
    this.shaderKey = `attention gradient of ${of} ${variant} ${threads} ${width} ${valueWidth} ${biasStrides !== null}`;
    const scores = headCount * rows * columns;
    const inScores = width + (of === 'v' ? 0 : valueWidth);
    const inSums = of === 'statistics' ? 0 : 4 * vectors.out;
    const passes = tiles ? groupsAHead : rows;
    const readsOfColumn = width + valueWidth + (ofKeys ? 4 : 0);
    const keptOfColumn = 4 + (tiles ? 0 : inSums);
    const slice = (floats: number): number => 4 * Math.ceil(floats / 4 / slices);
    const exchanged = slices === 1 ? 0 : threads * columnsAStep * (of === 'v' ? 1 : 2);
    this.traffic = {
      flops: 2 * scores * (inScores + inSums) + 8 * scores,
      readBytes:
        4 *
          headCount *
          (parts * rows * (inScores + (of === 'q' ? 4 : 0)) + passes * columns * readsOfColumn) +
        (biasStrides ? 4 * scores : 0),
      writeBytes: 16 * outCount * parts,
      workgroupBytes: tiles ? 4 * (columnsAStep * (width + valueWidth + (ofKeys ? 4 : 0)) + exchanged) : 0,
      registerBytes:
        4 *
        (slice(width) + (of === 'v' ? 0 : slice(valueWidth)) + slice(inSums) + keptOfColumn * columnsAStep),
    };
  }

  getUserCode(): string {
    return gradientSource(this.#layout);
  }
}
