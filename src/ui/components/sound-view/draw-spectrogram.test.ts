import { expect, test } from 'vitest';
import type { MelSpectrogram } from '../../../engine/protocol';
import { frequencyTicks, timeTicks } from './axes';
import { readoutText } from './cursor-readout';
import { CEILING_DB, drawSpectrogram, RANGE_DB } from './draw-spectrogram';
import { magmaTable } from './magma';

const nepers = (db: number) => db / (20 / Math.LN10);

function spectrogram(
  frames: number,
  melBins: number,
  dbAt: (frame: number, bin: number) => number,
): MelSpectrogram {
  const data = Float32Array.from({ length: frames * melBins }, (_, i) =>
    nepers(dbAt(Math.floor(i / melBins), i % melBins)),
  );
  return { data, frames, melBins };
}

const first = [...magmaTable.slice(0, 3)];
const last = [...magmaTable.slice(-3)];

test('the colour map is magma: from black to pale yellow', () => {
  expect(first).toEqual([0, 0, 4]);
  expect(last).toEqual([252, 253, 191]);
});

test('time runs to the right and frequency upwards', () => {
  // Loud in the last frame's lowest bin only.
  const mel = spectrogram(4, 4, (frame, bin) => (frame === 3 && bin === 0 ? CEILING_DB : -100));
  const pixels = drawSpectrogram(mel, 4, 4);
  const at = (x: number, y: number) => [...pixels.slice((y * 4 + x) * 4, (y * 4 + x) * 4 + 4)];
  expect(at(3, 3)).toEqual([...last, 255]);
  expect(at(0, 0)).toEqual([...first, 255]);
  expect(at(3, 0)).toEqual([...first, 255]);
  expect(at(0, 3)).toEqual([...first, 255]);
});

test('levels beyond the fixed range are held at its ends', () => {
  const quiet = drawSpectrogram(
    spectrogram(2, 2, () => CEILING_DB - RANGE_DB - 40),
    3,
    3,
  );
  const loud = drawSpectrogram(
    spectrogram(2, 2, () => CEILING_DB + 40),
    3,
    3,
  );
  expect([...quiet.slice(0, 3)]).toEqual(first);
  expect([...loud.slice(0, 3)]).toEqual(last);
});

test('enlarging interpolates levels, so that every colour is one of the map', () => {
  const mel = spectrogram(2, 2, (frame) => (frame === 0 ? CEILING_DB - RANGE_DB : CEILING_DB));
  const pixels = drawSpectrogram(mel, 9, 1);
  const colors = new Set(Array.from({ length: 256 }, (_, i) => magmaTable.slice(i * 3, i * 3 + 3).join()));
  const row = Array.from({ length: 9 }, (_, x) => pixels.slice(x * 4, x * 4 + 3).join());
  expect(row.every((color) => colors.has(color))).toBe(true);
  expect(new Set(row).size).toBeGreaterThan(4);
});

test('a spectrogram of one frame fills the picture', () => {
  expect(
    drawSpectrogram(
      spectrogram(1, 1, () => CEILING_DB),
      5,
      2,
    ),
  ).toHaveLength(40);
});

test('the mel axis ends at half the sample rate', () => {
  const ticks = frequencyTicks(16_000);
  expect(ticks.map(({ label }) => label)).toEqual(['500', '1k', '2k', '4k', '8k']);
  expect(ticks.at(-1)?.at).toBeCloseTo(1, 12);
  // 1 kHz is mel 15 of 45.245 on Slaney's scale.
  expect(ticks[1]?.at).toBeCloseTo(15 / 45.2456, 4);
});

test('time marks are whole seconds', () => {
  expect(timeTicks(5.12).map(({ label }) => label)).toEqual(['0 s', '1', '2', '3', '4']);
  expect(timeTicks(10.24).map(({ label }) => label)).toEqual(['0 s', '2', '4', '6', '8']);
});

test('the readout names time, frequency and level under the mouse', () => {
  const mel = spectrogram(10, 4, (frame, bin) => (frame === 5 && bin === 3 ? -12 : -60));
  const props = { mel, durationSeconds: 2, sampleRateHz: 16_000 };
  expect(readoutText(0.5, 1, props)).toBe('1.00 s · 8.0 kHz · −12 dB');
  expect(readoutText(0, 0, props)).toBe('0.00 s · 0 Hz · −60 dB');
});
