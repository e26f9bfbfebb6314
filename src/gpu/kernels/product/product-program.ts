/**
 * Convolutions and matrix products as one implicit product: rows are output positions, the inner axis runs over taps
 * and channels, columns are output channels. Nothing is unfolded in memory; a linear layer is the case of one tap.
 * Weights are float32 or packed halves; sums are float32. Bias, activation, a vector a item and a residual are added
 * where the sum is stored.
 *
 * tiles: a workgroup stages 16 inner steps of its rows and columns in workgroup memory (one pass over the operands a
 * tile). registers: a thread owns a tile of rows x columns and reads the operands through the cache.
 */
import type { Activation } from '../activations/activation';
import {
  activationSource,
  type CountedProgram,
  integers,
  type Traffic,
  type UniformData,
} from '../common/gpu-program';
import type { KernelVariant } from '../common/kernel-variant';

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

export interface ProductEpilogue {
  readonly bias: boolean;
  readonly activation: Activation | undefined;
  /** A vector of outChannels is added to every position: of each item, or one for all. */
  readonly vector: 'each item' | 'all items' | null;
  readonly residual: boolean;
}

interface Tile {
  /** Rows of a workgroup (tiles) or of a thread (registers). */
  readonly rows: number;
  /** Columns, in vectors of four. */
  readonly columns: number;
  readonly threads: number;
}

/** Inner steps that a workgroup stages, in vectors of four. */
const INNER = 4;
const COLUMN_THREADS = 16;

function tileFor(variant: KernelVariant, rows: number, columnVectors: number): Tile {
  if (variant === 'registers') return { rows: 4, columns: columnVectors > 1 ? 2 : 1, threads: 16 };
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
    'columnTiles : i32,';
  readonly uniformData: readonly UniformData[];
  readonly traffic: Traffic;
  readonly #pointwise: boolean;
  readonly #tile: Tile;

  constructor(
    private readonly variant: KernelVariant,
    private readonly geometry: ProductGeometry,
    private readonly halves: boolean,
    private readonly epilogue: ProductEpilogue,
  ) {
    const { batch, inSize, outSize, inChannels, outChannels, taps, strides, dilations, before } = geometry;
    const rows = batch * outSize[0] * outSize[1];
    const columnVectors = outChannels / 4;
    const tile = tileFor(variant, rows, columnVectors);
    this.#tile = tile;
    this.#pointwise =
      taps[0] * taps[1] === 1 &&
      strides[0] * strides[1] === 1 &&
      before[0] + before[1] === 0 &&
      !geometry.upsample;
    const { bias, vector, residual, activation } = epilogue;
    const optional = [bias && 'bias', vector && 'perItem', residual && 'residual'].filter((name) => !!name);
    this.variableNames = ['image', 'weight', ...(optional as string[])];
    this.variableComponents = [4, halves ? 2 : 4, ...optional.map(() => 4)];
    this.outputShape = [rows * outChannels];
    this.workgroupSize = [tile.threads, 1, 1];
    const columnTiles = Math.ceil(columnVectors / tile.columns);
    const rowTiles = Math.ceil(rows / tile.rows);
    const groups =
      variant === 'tiles' ? rowTiles * columnTiles : Math.ceil((rowTiles * columnTiles) / tile.threads);
    this.dispatch = [groups, 1, 1];
    this.uniformData = integers(
      rows,
      vector === 'each item' ? outSize[0] * outSize[1] : rows,
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
    );
    this.shaderKey = `product ${variant} ${tile.rows} ${tile.columns} ${halves} ${this.#pointwise} ${geometry.upsample} ${activation} ${optional}`;
    const inner = taps[0] * taps[1] * inChannels;
    this.traffic = {
      flops: 2 * rows * inner * outChannels,
      readBytes:
        rows * inner * 4 * columnTiles +
        inner * outChannels * (halves ? 2 : 4) * rowTiles +
        (residual ? rows * outChannels * 4 : 0),
      writeBytes: rows * outChannels * 4,
      workgroupBytes: variant === 'tiles' ? 16 * INNER * (tile.rows + 4 * tile.columns) : 0,
      registerBytes:
        variant === 'tiles'
          ? 16 * ((tile.rows * COLUMN_THREADS) / tile.threads + 8)
          : 16 * tile.columns * (tile.rows + 6),
    };
  }

  getUserCode(): string {
    return `
      ${activationSource(this.epilogue.activation)}
      fn weightAt(at : i32) -> vec4<f32> {
        ${this.halves ? 'let w = weight[at]; return vec4<f32>(unpack2x16float(bitcast<u32>(w.x)), unpack2x16float(bitcast<u32>(w.y)));' : 'return weight[at];'}
      }
      ${this.#positionSource()}
      fn finish(row : i32, column : i32, sum : vec4<f32>) {
        if (row >= uniforms.rows || column >= uniforms.outC) { return; }
        var value = sum;
        ${this.epilogue.bias ? 'value += bias[column];' : ''}
        value = activate(value);
        ${this.epilogue.vector ? 'value += perItem[row / uniforms.rowsPerItem * uniforms.outC + column];' : ''}
        ${this.epilogue.residual ? 'value += residual[row * uniforms.outC + column];' : ''}
        result[row * uniforms.outC + column] = value;
      }
      ${this.variant === 'tiles' ? this.#tilesSource() : this.#registersSource()}`;
  }

  /** Where a row's pixels begin in the image for a tap; negative where the tap meets the padding. */
  #positionSource(): string {
    if (this.#pointwise) {
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

  #registersSource(): string {
    const { rows, columns } = this.#tile;
    const eachRow = (line: (i: number) => string): string => each(rows, line);
    const eachColumn = (line: (n: number) => string): string => each(columns, line);
    const axes = ['x', 'y', 'z', 'w'];
    return `
      fn main(index : i32) {
        let column = index % uniforms.columnTiles * ${columns};
        let row = index / uniforms.columnTiles * ${rows};
        if (row >= uniforms.rows) { return; }
        ${eachColumn((n) => `let c${n} = min(column + ${n}, uniforms.outC - 1);`)}
        ${eachRow((i) => `let at${i} = origin(min(row + ${i}, uniforms.rows - 1));`)}
        ${eachRow((i) => eachColumn((n) => `var s${i}_${n} = vec4<f32>(0.0);`))}
        var w = 0;
        for (var tapY = 0; tapY < uniforms.tapsY; tapY++) {
          for (var tapX = 0; tapX < uniforms.tapsX; tapX++) {
            ${eachRow((i) => `let p${i} = position(at${i}, tapY, tapX);`)}
            for (var c = 0; c < uniforms.inC; c++) {
              ${each(4, (k) => `${eachColumn((n) => `let w${k}_${n} = weightAt(w + c${n});`)}w += uniforms.outC;`)}
              ${eachRow(
                (i) => `
              let x${i} = ${this.#pointwise ? `image[p${i} + c]` : `select(vec4<f32>(0.0), image[max(p${i}, 0) + c], p${i} >= 0)`};
              ${eachColumn((n) => `s${i}_${n} += ${axes.map((axis, k) => `x${i}.${axis} * w${k}_${n}`).join(' + ')};`)}`,
              )}
            }
          }
        }
        ${eachRow((i) => eachColumn((n) => `finish(row + ${i}, column + ${n}, s${i}_${n});`))}
      }`;
  }

  /** Loop bounds are uniforms and edges are clamped, so that all threads of a group meet at every barrier. */
  #tilesSource(): string {
    const { rows, columns, threads } = this.#tile;
    const ownRows = rows / (threads / COLUMN_THREADS);
    const imageLoads = (rows * INNER) / threads;
    const weightLoads = (4 * INNER * columns) / threads;
    return `
      var<workgroup> tileX : array<array<vec4<f32>, ${INNER}>, ${rows}>;
      var<workgroup> tileW : array<array<vec4<f32>, ${columns}>, ${4 * INNER}>;
      fn main(index : i32) {
        let group = index / ${threads};
        let local = i32(localIndex);
        let column = group % uniforms.columnTiles * ${columns};
        let row = group / uniforms.columnTiles * ${rows};
        let tx = local % ${COLUMN_THREADS};
        let ty = local / ${COLUMN_THREADS} * ${ownRows};
        let inner = local % ${INNER};
        ${each(imageLoads, (l) => `let at${l} = origin(min(row + (local + ${l * threads}) / ${INNER}, uniforms.rows - 1));`)}
        ${each(ownRows, (i) => `var s${i} = vec4<f32>(0.0);`)}
        for (var tapY = 0; tapY < uniforms.tapsY; tapY++) {
          for (var tapX = 0; tapX < uniforms.tapsX; tapX++) {
            ${each(imageLoads, (l) => `let p${l} = position(at${l}, tapY, tapX);`)}
            let firstWeight = (tapY * uniforms.tapsX + tapX) * uniforms.inC * 4;
            for (var c = 0; c < uniforms.inC; c += ${INNER}) {
              ${each(
                imageLoads,
                (l) => `
              var x${l} = vec4<f32>(0.0);
              if (p${l} >= 0 && c + inner < uniforms.inC) { x${l} = image[p${l} + c + inner]; }
              tileX[(local + ${l * threads}) / ${INNER}][inner] = x${l};`,
              )}
              ${each(
                weightLoads,
                (l) => `
              let k${l} = (local + ${l * threads}) / ${columns};
              var w${l} = vec4<f32>(0.0);
              if (c * 4 + k${l} < uniforms.inC * 4 && column + local % ${columns} < uniforms.outC) {
                w${l} = weightAt((firstWeight + c * 4 + k${l}) * uniforms.outC + column + local % ${columns});
              }
              tileW[k${l}][local % ${columns}] = w${l};`,
              )}
              workgroupBarrier();
              for (var k = 0; k < ${INNER}; k++) {
                let a = tileW[4 * k][tx];
                let b = tileW[4 * k + 1][tx];
                let d = tileW[4 * k + 2][tx];
                let e = tileW[4 * k + 3][tx];
                ${each(ownRows, (i) => `let v${i} = tileX[ty + ${i}][k]; s${i} += v${i}.x * a + v${i}.y * b + v${i}.z * d + v${i}.w * e;`)}
              }
              workgroupBarrier();
            }
          }
        }
        ${each(ownRows, (i) => `finish(row + ty + ${i}, column + tx, s${i});`)}
      }`;
  }
}

function each(count: number, line: (i: number) => string): string {
  return Array.from({ length: count }, (_, i) => line(i)).join('\n');
}
