import { accumulate, accumulateOuter, fillTile, multiply, storeRow, TILE_COLUMNS, TILE_ROWS } from './product';

/** Rows of the result in one unit: 32 tiles, some tens of microseconds. */
const UNIT_ROWS: i32 = 192;

/**
 * A convolution of x [B, H, W, Cin] with packed weights [kh * kw * Cin, Cout] (product.ts), as a product whose rows are
 * read where they lie: position by position, tap by tap; outside of the image from `zeros` (Cin of them). A linear layer is the
 * convolution with one tap of an image [1, 1, rows, in].
 *
 * args: x, panels, y, zeros, batch, H, W, Cin, Hout, Wout, Cout, kh, kw, strides, dilations and padding before (rows,
 * columns each), bias (0: none), and the bytes from one image, line and column of y to the next. Units: blocks of 192 positions times panels.
 */
export function convolution(args: usize, unit: i32, scratch: usize): void {
  const x = load<usize>(args, 0);
  const y = load<usize>(args, 8);
  const zeros = load<usize>(args, 12);
  const height = load<i32>(args, 20);
  const width = load<i32>(args, 24);
  const inChannels = load<i32>(args, 28);
  const outHeight = load<i32>(args, 32);
  const outWidth = load<i32>(args, 36);
  const outChannels = load<i32>(args, 40);
  const tapRows = load<i32>(args, 44);
  const tapColumns = load<i32>(args, 48);
  const rowStride = load<i32>(args, 52);
  const columnStride = load<i32>(args, 56);
  const rowDilation = load<i32>(args, 60);
  const columnDilation = load<i32>(args, 64);
  const top = load<i32>(args, 68);
  const left = load<i32>(args, 72);

  const rows = load<i32>(args, 16) * outHeight * outWidth;
  const panels = (outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const panel = unit % panels;
  const begin = (unit / panels) * UNIT_ROWS;
  const end = min(rows, begin + UNIT_ROWS);
  const depth = tapRows * tapColumns * inChannels;
  const weights = load<usize>(args, 4) + (<usize>panel) * (<usize>depth) * 32;
  const columns = outChannels - panel * TILE_COLUMNS;
  const biases = load<usize>(args, 76);
  const bias = biases ? biases + (<usize>panel) * 32 : 0;
  const pixelBytes = (<usize>inChannels) << 2;

  const tile = scratch;
  const images = scratch + 192; // of each row of the tile: its image, and where its first tap lies
  const pointers = scratch + 288;
  const outs = scratch + 320;
  const imageBytes = load<usize>(args, 80);
  const lineBytes = load<usize>(args, 84);
  const columnBytes = load<usize>(args, 88);
  const panelOffset = (<usize>panel) * 32;
  const plain = tapRows == 1 && tapColumns == 1 && rowStride == 1 && columnStride == 1 && top == 0 && left == 0
    && outHeight == height && outWidth == width
    && lineBytes == (<usize>outWidth) * columnBytes && imageBytes == (<usize>outHeight) * lineBytes;

  for (let row = begin; row < end; row += TILE_ROWS) {
    if (plain && row + TILE_ROWS <= end && columns >= TILE_COLUMNS) {
      const r0 = x + (<usize>row) * pixelBytes;
      multiply(
        y + (<usize>row) * columnBytes + panelOffset, columnBytes, r0, r0 + pixelBytes, r0 + 2 * pixelBytes,
        r0 + 3 * pixelBytes, r0 + 4 * pixelBytes, r0 + 5 * pixelBytes, inChannels, weights, bias,
      );
      continue;
    }
    fillTile(tile, bias, columns);
    if (plain) {
      // Beyond the end the last row is computed again.
      const last = end - 1;
      accumulate(
        tile,
        x + (<usize>row) * pixelBytes,
        x + (<usize>min(row + 1, last)) * pixelBytes,
        x + (<usize>min(row + 2, last)) * pixelBytes,
        x + (<usize>min(row + 3, last)) * pixelBytes,
        x + (<usize>min(row + 4, last)) * pixelBytes,
        x + (<usize>min(row + 5, last)) * pixelBytes,
        inChannels, weights, 32,
      );
    } else {
      for (let i = 0; i < TILE_ROWS; i += 1) {
        const position = min(row + i, end - 1);
        const column = position % outWidth;
        const line = position / outWidth;
        const image = line / outHeight;
        const place = images + (<usize>i) * 12;
        const outLine = line - image * outHeight;
        store<i32>(place, image * height, 0);
        store<i32>(place, outLine * rowStride - top, 4);
        store<i32>(place, column * columnStride - left, 8);
        store<usize>(
          outs + ((<usize>i) << 2),
          y + (<usize>image) * imageBytes + (<usize>outLine) * lineBytes + (<usize>column) * columnBytes,
        );
      }
      let panelRow = weights;
      for (let tapRow = 0; tapRow < tapRows; tapRow += 1) {
        for (let tapColumn = 0; tapColumn < tapColumns; tapColumn += 1) {
          let outside = 0;
          for (let i: usize = 0; i < 6; i += 1) {
            const place = images + i * 12;
            const line = load<i32>(place, 4) + tapRow * rowDilation;
            const column = load<i32>(place, 8) + tapColumn * columnDilation;
            let pointer = zeros;
            // Unsigned, so that what lies before the image is beyond its end.
            if (<u32>line < <u32>height && <u32>column < <u32>width) {
              pointer = x + (<usize>((load<i32>(place, 0) + line) * width + column)) * pixelBytes;
            } else {
              outside += 1;
            }
            store<usize>(pointers + i * 4, pointer);
          }
          if (outside < TILE_ROWS) {
            accumulate(
              tile,
              load<usize>(pointers, 0), load<usize>(pointers, 4), load<usize>(pointers, 8),
              load<usize>(pointers, 12), load<usize>(pointers, 16), load<usize>(pointers, 20),
              inChannels, panelRow, 32,
            );
          }
          panelRow += (<usize>inChannels) * 32;
        }
      }
    }
    const tileRows = min(TILE_ROWS, end - row);
    for (let i = 0; i < tileRows; i += 1) {
      const out = plain ? y + (<usize>(row + i)) * columnBytes : load<usize>(outs + ((<usize>i) << 2));
      storeRow(tile, i, columns, out + panelOffset);
    }
  }
}

/** The first of the positions o >= 0 with o * stride >= least. */
function firstAtLeast(least: i32, stride: i32): i32 {
  return least <= 0 ? 0 : (least + stride - 1) / stride;
}

/**
 * The gradient of a convolution's filter, [kh, kw, Cin, Cout]: for each tap the product of x at the positions that it
 * meets, transposed, with dy. A linear layer's is that of one tap over an image [1, 1, rows, in].
 *
 * args: x, dy in panels of eight channels (packing.ts), dw, batch, H, W, Cin, Hout, Wout, Cout, kh, kw, strides, dilations
 * and padding before (rows, columns each). Units: taps * tiles of six input channels * panels of eight output channels.
 */
export function filterGradient(args: usize, unit: i32, scratch: usize): void {
  const batch = load<i32>(args, 12);
  const height = load<i32>(args, 16);
  const width = load<i32>(args, 20);
  const inChannels = load<i32>(args, 24);
  const outHeight = load<i32>(args, 28);
  const outWidth = load<i32>(args, 32);
  const outChannels = load<i32>(args, 36);
  const tapColumns = load<i32>(args, 44);
  const rowStride = load<i32>(args, 48);
  const columnStride = load<i32>(args, 52);
  const panels = (outChannels + TILE_COLUMNS - 1) / TILE_COLUMNS;
  const tiles = (inChannels + TILE_ROWS - 1) / TILE_ROWS;
  const panel = unit % panels;
  const channel = ((unit / panels) % tiles) * TILE_ROWS;
  const tap = unit / panels / tiles;
  // Where the tap lies beside the position that a stride leads to.
  const down = (tap / tapColumns) * load<i32>(args, 56) - load<i32>(args, 64);
  const right = (tap % tapColumns) * load<i32>(args, 60) - load<i32>(args, 68);
  const firstLine = firstAtLeast(-down, rowStride);
  const lines = min(outHeight, firstAtLeast(height - down, rowStride)) - firstLine;
  const firstColumn = firstAtLeast(-right, columnStride);
  const count = min(outWidth, firstAtLeast(width - right, columnStride)) - firstColumn;
  const pixelBytes = (<usize>inChannels) << 2;
  const dy = load<usize>(args, 4) + (<usize>panel) * (<usize>(batch * outHeight * outWidth)) * 32;
  const rest = <usize>min(TILE_ROWS, inChannels - channel) - 1;
  fillTile(scratch, 0, TILE_COLUMNS);
  if (lines > 0 && count > 0) {
    for (let image = 0; image < batch; image += 1) {
      const line = image * height + firstLine * rowStride + down;
      const position = line * width + firstColumn * columnStride + right;
      const outPosition = (image * outHeight + firstLine) * outWidth + firstColumn;
      accumulateOuter(
        scratch,
        load<usize>(args, 0) + (<usize>position) * pixelBytes + ((<usize>channel) << 2),
        min(rest, 1) << 2, min(rest, 2) << 2, min(rest, 3) << 2, min(rest, 4) << 2, min(rest, 5) << 2,
        (<usize>columnStride) * pixelBytes, (<usize>(rowStride * width)) * pixelBytes,
        dy + (<usize>outPosition) * 32, 32, (<usize>outWidth) * 32, count, lines,
      );
    }
  }
  const columns = outChannels - panel * TILE_COLUMNS;
  const row = load<usize>(args, 8) + (<usize>((tap * inChannels + channel) * outChannels + panel * TILE_COLUMNS)) * 4;
  for (let i = 0; i <= <i32>rest; i += 1) {
    storeRow(scratch, i, columns, row + (<usize>(i * outChannels)) * 4);
  }
}
