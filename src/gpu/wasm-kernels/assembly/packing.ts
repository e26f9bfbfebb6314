import { TILE_BYTES, TILE_COLUMNS } from './product';

/**
 * Weights [depth, columns] as panels of eight columns, each [depth, 8], the last one filled up with zeros.
 *
 * args: weights, panels, depth, columns. Units: panels.
 */
export function packWeights(args: usize, unit: i32): void {
  const depth = load<i32>(args, 8);
  const columns = load<i32>(args, 12);
  const first = unit * TILE_COLUMNS;
  const width = min(TILE_COLUMNS, columns - first);
  let from = load<usize>(args, 0) + ((<usize>first) << 2);
  let to = load<usize>(args, 4) + (<usize>unit) * (<usize>depth) * TILE_BYTES;
  for (let k = 0; k < depth; k += 1) {
    if (width >= TILE_COLUMNS) {
      v128.store(to, v128.load(from, 0), 0);
      v128.store(to, v128.load(from, 16), 16);
    } else {
      v128.store(to, f32x4.splat(0), 0);
      v128.store(to, f32x4.splat(0), 16);
      memory.copy(to, from, width << 2);
    }
    from += (<usize>columns) << 2;
    to += TILE_BYTES;
  }
}

/**
 * The filter [3, 3, Cin, Cout] of a convolution behind a nearest-neighbour upsampling by two, as the packed filters of its
 * four phases, [2, 2, Cin, Cout] each: taps that meet the same pixel are added up. Of an even row or column the taps
 * are (a, b + c), of an odd one (a + b, c).
 *
 * args: weights, panels, Cin, Cout. Units: 4 phases * panels.
 */
export function packPhases(args: usize, unit: i32): void {
  const weights = load<usize>(args, 0);
  const inChannels = load<i32>(args, 8);
  const outChannels = load<i32>(args, 12);
  const panels = (outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const phase = unit / panels;
  const oddRow = phase >> 1;
  const oddColumn = phase & 1;
  const first = (unit % panels) * TILE_COLUMNS;
  const width = min(TILE_COLUMNS, outChannels - first);
  let to = load<usize>(args, 4) + (<usize>unit) * (<usize>(4 * inChannels)) * TILE_BYTES;
  for (let i = 0; i < 2; i += 1) {
    const rowBegin = i == 0 ? 0 : 1 + oddRow;
    const rowEnd = i == 0 ? 1 + oddRow : 3;
    for (let j = 0; j < 2; j += 1) {
      const columnBegin = j == 0 ? 0 : 1 + oddColumn;
      const columnEnd = j == 0 ? 1 + oddColumn : 3;
      for (let c = 0; c < inChannels; c += 1) {
        for (let n = 0; n < TILE_COLUMNS; n += 1) {
          let sum: f32 = 0;
          if (n < width) {
            for (let row = rowBegin; row < rowEnd; row += 1) {
              for (let column = columnBegin; column < columnEnd; column += 1) {
                const tap = (row * 3 + column) * inChannels + c;
                sum += load<f32>(weights + ((<usize>(tap * outChannels + first + n)) << 2));
              }
            }
          }
          store<f32>(to + ((<usize>n) << 2), sum);
        }
        to += TILE_BYTES;
      }
    }
  }
}

/**
 * The filter [kh, kw, Cin, Cout] as that of a gradient: turned around, with the channels swapped, packed as
 * [tapRows, tapColumns, Cout] rows of Cin columns. Its tap j along an axis is the sum of the taps from first - step j on,
 * `span` of them, as far as there are any: one for a convolution (step is its stride), two behind an upsampling.
 *
 * args: weights, panels, kh, kw, Cin, Cout, tapRows, tapColumns, first (rows, columns), step (rows, columns), span.
 * Units: panels.
 */
export function packTurned(args: usize, unit: i32): void {
  const weights = load<usize>(args, 0);
  const height = load<i32>(args, 8);
  const width = load<i32>(args, 12);
  const inChannels = load<i32>(args, 16);
  const outChannels = load<i32>(args, 20);
  const tapRows = load<i32>(args, 24);
  const tapColumns = load<i32>(args, 28);
  const span = load<i32>(args, 48);
  const first = unit * TILE_COLUMNS;
  const columns = min(TILE_COLUMNS, inChannels - first);
  let to = load<usize>(args, 4) + (<usize>unit) * (<usize>(tapRows * tapColumns * outChannels)) * TILE_BYTES;
  for (let i = 0; i < tapRows; i += 1) {
    const row = load<i32>(args, 32) - i * load<i32>(args, 40);
    for (let j = 0; j < tapColumns; j += 1) {
      const column = load<i32>(args, 36) - j * load<i32>(args, 44);
      memory.fill(to, 0, (<usize>outChannels) * TILE_BYTES);
      for (let y = max(0, row); y < min(height, row + span); y += 1) {
        for (let x = max(0, column); x < min(width, column + span); x += 1) {
          const tap = (y * width + x) * inChannels + first;
          for (let n = 0; n < columns; n += 1) {
            let from = weights + (<usize>((tap + n) * outChannels)) * 4;
            let at = to + ((<usize>n) << 2);
            for (let c = 0; c < outChannels; c += 1) {
              store<f32>(at, load<f32>(at) + load<f32>(from));
              from += 4;
              at += TILE_BYTES;
            }
          }
        }
      }
      to += (<usize>outChannels) * TILE_BYTES;
    }
  }
}
