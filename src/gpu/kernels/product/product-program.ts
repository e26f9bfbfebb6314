/**
 * Convolutions and matrix products as one implicit product: rows are output positions, the inner axis runs over taps
 * and channels, columns are output channels. Nothing is unfolded in memory; a linear layer is the case of one tap.
 * Weights are float32 or packed halves; sums are float32. Bias, activation, a vector a item and a residual are added
 * where the sum is stored.
 *
 * tiles: a workgroup stages 16 inner steps of its rows and columns in workgroup memory (one pass over the operands a
 * tile; with shader-f16, halves stay halves there). Few tiles with a long inner axis leave most of a GPU idle: the
 * channels are split then, each part's sums are stored, and join-program.ts adds them up. registers: a thread owns a
 * tile of rows x columns and reads the operands through the cache.
 */
import { type CountedProgram, integers, type Traffic, type UniformData } from '../common/gpu-program';
import type { KernelChoice } from '../common/kernel-variant';
import { enableLines } from '../common/shader-extensions';
import { epilogueSource, type ProductEpilogue, weightSource } from './product-source';
import { COLUMN_THREADS, INNER, registersSource, type Tile, tilesSource } from './tile-source';

/** Sizes of the product. All channels are multiples of four. */
export interface ProductGeometry {
  readonly batch: number;
  readonly inSize: readonly [number, number];
  readonly outSize: readonly [number, number];
  readonly inChannels: number;
  readonly outChannels: number;
  readonly taps: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  /** Zeros before the rows, and before the columns. */
  readonly before: readonly [number, number];
  /** 1 when the convolved image is x with every pixel repeated in both axes. */
  readonly upsample: 0 | 1;
}

/** A linear layer over so many rows. */
export function rowsGeometry(rows: number, inChannels: number, outChannels: number): ProductGeometry {
  return {
    batch: 1,
    inSize: [1, rows],
    outSize: [1, rows],
    inChannels,
    outChannels,
    taps: [1, 1],
    strides: [1, 1],
    dilations: [1, 1],
    before: [0, 0],
    upsample: 0,
  };
}

export const rowsOf = ({ batch, outSize }: ProductGeometry): number => batch * outSize[0] * outSize[1];
export const innerOf = ({ taps, inChannels }: ProductGeometry): number => taps[0] * taps[1] * inChannels;

/** Whether an output position is the same position of x: a linear layer, or a 1 x 1 convolution. */
export function isPointwise({ taps, strides, before, upsample }: ProductGeometry): boolean {
  return taps[0] * taps[1] === 1 && strides[0] * strides[1] === 1 && before[0] + before[1] === 0 && !upsample;
}

function tileFor(variant: KernelChoice['variant'], rows: number, columnVectors: number): Tile {
  if (variant === 'registers')
    return { rows: Math.min(4, rows), columns: columnVectors > 1 ? 2 : 1, threads: 16 };
  const tile = (height: number): Tile => ({
    rows: height,
    columns: COLUMN_THREADS,
    threads: height === 32 ? 128 : 256,
  });
  const groups = (height: number): number =>
    Math.ceil(rows / height) * Math.ceil(columnVectors / COLUMN_THREADS);
  if (groups(128) >= 64) return tile(128);
  return rows > 32 ? tile(64) : tile(32);
}

/** Below this many workgroups a desktop GPU has multiprocessors without work; the largest have twice as many. */
const BUSY_GROUPS = 64;
/** From this length on one more dispatch pays for the largest GPUs too. */
const LONG_INNER = 8192;
/** A part shorter than this costs more to store than its time saves. */
const LEAST_INNER = 1024;
const MOST_SPLITS = 8;
/** Two parts save less than the dispatch that adds them up. */
const LEAST_SPLITS = 3;

/** Into how many parts the channels of a product are split: 1 for all but few tiles with a long inner axis. */
export function splitsFor({ variant }: KernelChoice, geometry: ProductGeometry): number {
  if (variant !== 'tiles') return 1;
  const rows = rowsOf(geometry);
  const vectors = geometry.outChannels / 4;
  const tile = tileFor(variant, rows, vectors);
  const groups = Math.ceil(rows / tile.rows) * Math.ceil(vectors / tile.columns);
  const inner = innerOf(geometry);
  const busy = inner >= LONG_INNER ? 2 * BUSY_GROUPS : BUSY_GROUPS;
  if (groups >= busy) return 1;
  const wanted = Math.ceil((2 * busy) / groups);
  const byInner = Math.floor(inner / LEAST_INNER);
  const byChannels = Math.floor(geometry.inChannels / (4 * INNER));
  const parts = Math.min(wanted, byInner, byChannels, MOST_SPLITS);
  return parts < LEAST_SPLITS ? 1 : parts;
}

export class ProductProgram implements CountedProgram {
  readonly variableNames: string[];
  readonly variableComponents: number[];
  readonly outputComponent = 4;
  readonly outputShape: number[];
  readonly workgroupSize: [number, number, number];
  readonly dispatchLayout = { x: [0] };
  dispatch: [number, number, number];
  shaderKey: string;
  readonly uniforms =
    'rows : i32, rowsPerItem : i32, inC : i32, outC : i32, tapsY : i32, tapsX : i32, strideY : i32, strideX : i32, ' +
    'dilationY : i32, dilationX : i32, beforeY : i32, beforeX : i32, inH : i32, inW : i32, outH : i32, outW : i32, ' +
    'columnTiles : i32, tileCount : i32, channelsAPart : i32,';
  readonly uniformData: readonly UniformData[];
  readonly traffic: Traffic;
  readonly #tile: Tile;

  /** @param epilogue null where the sums of `splits` parts are stored as they are, [splits, rows, columns] */
  constructor(
    private readonly choice: KernelChoice,
    private readonly geometry: ProductGeometry,
    private readonly halves: boolean,
    private readonly epilogue: ProductEpilogue | null,
    splits = 1,
  ) {
    const { outSize, inSize, inChannels, outChannels, taps, strides, dilations, before } = geometry;
    const { variant, features } = choice;
    const rows = rowsOf(geometry);
    const columnVectors = outChannels / 4;
    const tile = tileFor(variant, rows, columnVectors);
    this.#tile = tile;
    const optional = epilogue?.operands ?? [];
    this.variableNames = ['image', 'weight', ...optional];
    this.variableComponents = [4, halves ? 2 : 4, ...optional.map(() => 4)];
    this.outputShape = [splits * rows * outChannels];
    this.workgroupSize = [tile.threads, 1, 1];
    const columnTiles = Math.ceil(columnVectors / tile.columns);
    const rowTiles = Math.ceil(rows / tile.rows);
    const tiles = rowTiles * columnTiles;
    this.dispatch = [variant === 'tiles' ? tiles * splits : Math.ceil(tiles / tile.threads), 1, 1];
    this.uniformData = integers(
      rows,
      epilogue?.vector === 'each item' ? outSize[0] * outSize[1] : rows,
      inChannels / 4,
      columnVectors,
      ...taps,
      ...strides,
      ...dilations,
      ...before,
      inSize[0] << geometry.upsample,
      inSize[1] << geometry.upsample,
      ...outSize,
      columnTiles,
      tiles,
      Math.ceil(inChannels / 4 / splits / INNER) * INNER,
    );
    const f16 = halves && features.f16;
    this.shaderKey = `product ${variant} ${tile.rows} ${tile.columns} ${halves} ${f16} ${isPointwise(geometry)} ${geometry.upsample} ${epilogue?.activation} ${optional} ${epilogue === null}`;
    const inner = innerOf(geometry);
    this.traffic = {
      flops: 2 * rows * inner * outChannels,
      readBytes:
        rows * inner * 4 * columnTiles +
        inner * outChannels * (halves ? 2 : 4) * rowTiles +
        (epilogue?.residual ? rows * outChannels * 4 : 0),
      writeBytes: splits * rows * outChannels * 4,
      workgroupBytes: variant === 'tiles' ? 4 * INNER * (4 * tile.rows + (f16 ? 8 : 16) * tile.columns) : 0,
      registerBytes:
        variant === 'tiles'
          ? 16 * ((tile.rows * COLUMN_THREADS) / tile.threads + 8)
          : 16 * tile.columns * (tile.rows + 6),
    };
  }

  getUserCode(): string {
    const { variant, features } = this.choice;
    const f16 = this.halves && features.f16;
    const pointwise = isPointwise(this.geometry);
    return `
      ${enableLines({ f16, subgroups: false })}
      ${weightSource(this.halves, f16)}
      ${this.#positionSource(pointwise)}
      ${this.epilogue ? epilogueSource(this.epilogue) : STORE_PART}
      ${variant === 'tiles' ? tilesSource(this.#tile, f16, this.epilogue === null) : registersSource(this.#tile, pointwise)}`;
  }

  /** Where a row's pixels begin in the image for a tap; negative where the tap meets the padding. */
  #positionSource(pointwise: boolean): string {
    if (pointwise) {
      return `
      fn origin(row : i32) -> vec3<i32> { return vec3<i32>(row, 0, 0); }
      fn position(at : vec3<i32>, tapY : i32, tapX : i32) -> i32 { return at.x * uniforms.inC; }`;
    }
    const shift = this.geometry.upsample;
    return `
      fn origin(row : i32) -> vec3<i32> {
        let line = row / uniforms.outW;
        let item = line / uniforms.outH;
        return vec3<i32>(
          item * (uniforms.inH >> ${shift}u),
          (line - item * uniforms.outH) * uniforms.strideY - uniforms.beforeY,
          (row - line * uniforms.outW) * uniforms.strideX - uniforms.beforeX);
      }
      fn position(at : vec3<i32>, tapY : i32, tapX : i32) -> i32 {
        let y = at.y + tapY * uniforms.dilationY;
        let x = at.z + tapX * uniforms.dilationX;
        if (y < 0 || x < 0 || y >= uniforms.inH || x >= uniforms.inW) { return -1; }
        return ((at.x + (y >> ${shift}u)) * (uniforms.inW >> ${shift}u) + (x >> ${shift}u)) * uniforms.inC;
      }`;
  }
}

/** A part's sums, for join-program.ts. */
const STORE_PART = `
      fn finish(row : i32, column : i32, sum : vec4<f32>, part : i32) {
        if (row >= uniforms.rows || column >= uniforms.outC) { return; }
        result[(part * uniforms.rows + row) * uniforms.outC + column] = sum;
      }`;
