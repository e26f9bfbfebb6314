import { parquetWriteBuffer } from 'hyparquet-writer';
import { expect, it } from 'vitest';
import { openPairParquet } from './read-pair-parquet';

const ROWS = 60;
const ROWS_PER_GROUP = 20;
const SOUND_BYTES = 20_000;

/** A Blob that says how much of it was asked for. */
function counted(blob: Blob) {
  const asked = { total: 0, most: 0 };
  const file = {
    size: blob.size,
    slice(start = 0, end = blob.size) {
      asked.total += end - start;
      asked.most = Math.max(asked.most, end - start);
      return blob.slice(start, end);
    },
  };
  return { file: file as Blob, asked };
}

it('a shard is read group by group, each byte about once, never all of it at a time', async () => {
  const sound = (row: number) => new Uint8Array(SOUND_BYTES).map((_, i) => (i * 7919 + row) % 251);
  const rows = Array.from({ length: ROWS }, (_, row) => row);
  const bytes = parquetWriteBuffer({
    columnData: [
      { name: 'prompt', data: rows.map((row) => `sound ${row}`), type: 'STRING' },
      { name: 'chosen', data: rows.map(sound), type: 'BYTE_ARRAY' },
      { name: 'rejected', data: rows.map((row) => sound(row + 1)), type: 'BYTE_ARRAY' },
    ],
    rowGroupSize: ROWS_PER_GROUP,
    codec: 'UNCOMPRESSED',
  });
  const { file, asked } = counted(new Blob([bytes]));
  const { rowCount, rows: read } = await openPairParquet('shard.parquet', file);
  expect(rowCount).toBe(ROWS);
  let next = 0;
  for await (const { row, prompt, chosen, rejected } of read()) {
    expect([row, prompt]).toEqual([next, `sound ${next}`]);
    if (next % 17 === 0) {
      expect(chosen).toEqual(sound(next));
      expect(rejected).toEqual(sound(next + 1));
    }
    next += 1;
  }
  expect(next).toBe(ROWS);
  const group = 2 * ROWS_PER_GROUP * SOUND_BYTES;
  expect(asked.most).toBeLessThan(1.05 * group);
  // The pages' headers are looked at once before.
  expect(asked.total).toBeLessThan(1.5 * bytes.byteLength);
});
