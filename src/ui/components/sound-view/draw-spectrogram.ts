import { spectrogramImage } from '../../../audio';
import type { MelSpectrogram } from '../../../engine/protocol';
import { COLOR_COUNT, magmaTable } from './magma';

/** Fixed, so that the same colour is the same level in every take. In dB of mel-band magnitude. */
export const CEILING_DB = 10;
export const RANGE_DB = 80;

/**
 * A mel spectrogram as RGBA pixels, time to the right and frequency upwards. Levels, not colours, are interpolated
 * between frames and bins, so that the picture is smooth at any size and stays on the colour map.
 *
 * @param width,height in device pixels, at least 1
 * @returns [height, width, 4]
 */
export function drawSpectrogram(
  mel: MelSpectrogram,
  width: number,
  height: number,
): Uint8ClampedArray<ArrayBuffer> {
  const { data, frames, melBins } = spectrogramImage(mel, { ceilingDb: CEILING_DB, rangeDb: RANGE_DB }); // [frames, melBins]
  const pixels = new Uint8ClampedArray(width * height * 4);
  // Pixel centres to cell centres; beyond the first and last centre the edge value is held.
  const columns = Array.from({ length: width }, (_, x) =>
    neighbours(((x + 0.5) / width) * frames - 0.5, frames),
  );
  for (let y = 0; y < height; y += 1) {
    const bin = neighbours((1 - (y + 0.5) / height) * melBins - 0.5, melBins);
    for (let x = 0; x < width; x += 1) {
      const frame = columns[x]!;
      const below = frame.low * melBins;
      const above = frame.high * melBins;
      const early = data[below + bin.low]! * (1 - bin.share) + data[below + bin.high]! * bin.share;
      const late = data[above + bin.low]! * (1 - bin.share) + data[above + bin.high]! * bin.share;
      const level = early * (1 - frame.share) + late * frame.share;
      const color = Math.round(level * (COLOR_COUNT - 1)) * 3;
      const pixel = (y * width + x) * 4;
      pixels[pixel] = magmaTable[color]!;
      pixels[pixel + 1] = magmaTable[color + 1]!;
      pixels[pixel + 2] = magmaTable[color + 2]!;
      pixels[pixel + 3] = 255;
    }
  }
  return pixels;
}

/** The two cells around a position, and the share of the higher one. */
function neighbours(position: number, count: number): { low: number; high: number; share: number } {
  const clamped = Math.min(Math.max(position, 0), count - 1);
  const low = Math.floor(clamped);
  return { low, high: Math.min(low + 1, count - 1), share: clamped - low };
}
