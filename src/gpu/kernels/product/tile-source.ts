/** The two bodies of the product: tiles in workgroup memory for GPUs, tiles in registers for adapters on the processor. */
import { each } from './product-source';

export interface Tile {
  /** Rows of a workgroup (tiles) or of a thread (registers). */
  readonly rows: number;
  /** Columns, in vectors of four. */
  readonly columns: number;
  readonly threads: number;
}

/** Inner steps that a workgroup stages, in vectors of four. */
export const INNER = 4;
export const COLUMN_THREADS = 16;

const AXES = ['x', 'y', 'z', 'w'];

export function registersSource({ rows, columns }: Tile, pointwise: boolean): string {
  const eachRow = (line: (i: number) => string): string => each(rows, line);
  const eachColumn = (line: (n: number) => string): string => each(columns, line);
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
              ${each(4, (k) => `${eachColumn((n) => `let w${k}_${n} = vec4<f32>(weightAt(w + c${n}));`)}w += uniforms.outC;`)}
              ${eachRow(
                (i) => `
              let x${i} = ${pointwise ? `image[p${i} + c]` : `select(vec4<f32>(0.0), image[max(p${i}, 0) + c], p${i} >= 0)`};
              ${eachColumn((n) => `s${i}_${n} += ${AXES.map((axis, k) => `x${i}.${axis} * w${k}_${n}`).join(' + ')};`)}`,
              )}
            }
          }
        }
        ${eachRow((i) => eachColumn((n) => `finish(row + ${i}, column + ${n}, s${i}_${n}, 0);`))}
      }`;
}

/**
 * Loop bounds are uniforms and edges are clamped, so that all threads of a group meet at every barrier.
 *
 * @param f16 the staged weights stay halves
 * @param split the group computes one part of the channels only
 */
export function tilesSource({ rows, columns, threads }: Tile, f16: boolean, split: boolean): string {
  const ownRows = rows / (threads / COLUMN_THREADS);
  const imageLoads = (rows * INNER) / threads;
  const weightLoads = (4 * INNER * columns) / threads;
  const staged = (axis: number): string =>
    f16 ? `vec4<f32>(tileW[4 * k + ${axis}][tx])` : `tileW[4 * k + ${axis}][tx]`;
  return `
      var<workgroup> tileX : array<array<vec4<f32>, ${INNER}>, ${rows}>;
      var<workgroup> tileW : array<array<Weight, ${columns}>, ${4 * INNER}>;
      fn main(index : i32) {
        let group = index / ${threads};
        let part = ${split ? 'group / uniforms.tileCount' : '0'};
        let tile = group - part * uniforms.tileCount;
        let firstC = part * uniforms.channelsAPart;
        let local = i32(localIndex);
        let column = tile % uniforms.columnTiles * ${columns};
        let row = tile / uniforms.columnTiles * ${rows};
        let tx = local % ${COLUMN_THREADS};
        let ty = local / ${COLUMN_THREADS} * ${ownRows};
        let inner = local % ${INNER};
        ${each(imageLoads, (l) => `let at${l} = origin(min(row + (local + ${l * threads}) / ${INNER}, uniforms.rows - 1));`)}
        ${each(ownRows, (i) => `var s${i} = vec4<f32>(0.0);`)}
        for (var tapY = 0; tapY < uniforms.tapsY; tapY++) {
          for (var tapX = 0; tapX < uniforms.tapsX; tapX++) {
            ${each(imageLoads, (l) => `let p${l} = position(at${l}, tapY, tapX);`)}
            let firstWeight = (tapY * uniforms.tapsX + tapX) * uniforms.inC * 4;
            for (var step = 0; step < uniforms.channelsAPart; step += ${INNER}) {
              let c = firstC + step;
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
              var w${l} = Weight();
              if (c * 4 + k${l} < uniforms.inC * 4 && column + local % ${columns} < uniforms.outC) {
                w${l} = weightAt((firstWeight + c * 4 + k${l}) * uniforms.outC + column + local % ${columns});
              }
              tileW[k${l}][local % ${columns}] = w${l};`,
              )}
              workgroupBarrier();
              for (var k = 0; k < ${INNER}; k++) {
                let a = ${staged(0)};
                let b = ${staged(1)};
                let d = ${staged(2)};
                let e = ${staged(3)};
                ${each(ownRows, (i) => `let v${i} = tileX[ty + ${i}][k]; s${i} += v${i}.x * a + v${i}.y * b + v${i}.z * d + v${i}.w * e;`)}
              }
              workgroupBarrier();
            }
          }
        }
        ${each(ownRows, (i) => `finish(row + ty + ${i}, column + tx, s${i}, part);`)}
      }`;
}
