import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { SchemaElement } from 'hyparquet';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { openPairParquet } from './read-pair-parquet';

const MB = 2 ** 20;
/** 10 s of 16-bit sound at 16 kHz, as in Audio-alpaca. */
const SOUND_BYTES = 320_000;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const binary = (name: string): SchemaElement => ({ name, type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' });
const SCHEMA: SchemaElement[] = [
  { name: 'schema', num_children: 3 },
  { ...binary('prompt'), converted_type: 'UTF8' },
  ...['chosen', 'rejected'].flatMap((name): SchemaElement[] => [
    { name, num_children: 2, repetition_type: 'OPTIONAL' },
    binary('bytes'),
    { ...binary('path'), converted_type: 'UTF8' },
  ]),
];

/** Keeps the first row group and the footer: all groups hold the same, and their bytes are made when they are read. */
class FirstGroupWriter extends ByteWriter {
  readonly kept: Uint8Array[] = [];
  #groups = 0;

  flush(): void {
    if (this.#groups === 0) this.kept.push(new Uint8Array(this.getBuffer()));
    this.#groups += 1;
    this.index = 0;
  }
}

interface Layout {
  readonly groups: number;
  readonly rowsPerGroup: number;
  readonly pageSize: number;
  readonly soundBytes: number;
}

/** A file that is never anywhere as a whole, and counts what is read of it. */
class LazyFile {
  bytesRead = 0;
  readonly size: number;
  readonly #first: Uint8Array;
  readonly #footer: Uint8Array;
  readonly #groups: number;

  constructor({ groups, rowsPerGroup, pageSize, soundBytes }: Layout) {
    const writer = new FirstGroupWriter();
    const parquet = new ParquetWriter({ writer, schema: SCHEMA, codec: 'UNCOMPRESSED', statistics: false });
    const rows = Array.from({ length: rowsPerGroup }, (_, row) => row);
    const sounds = (value: (row: number) => number) =>
      rows.map((row) => ({ bytes: new Uint8Array(soundBytes).fill(value(row)), path: `${row}.wav` }));
    const columns = [
      { name: 'prompt', data: rows.map((row) => `sound ${row}`), offsetIndex: false },
      ...[
        { name: 'chosen', data: sounds((row) => row % 251) },
        { name: 'rejected', data: sounds((row) => (row + 7) % 251) },
      ].map((column) => ({ ...column, encoding: 'PLAIN' as const, offsetIndex: false })),
    ];
    for (let group = 0; group < groups; group += 1) {
      void parquet.write({ columnData: columns, rowGroupSize: rowsPerGroup, pageSize });
    }
    writer.finish = () => {};
    void parquet.finish();
    this.#first = writer.kept[0]!;
    this.#footer = new Uint8Array(writer.getBuffer());
    this.#groups = groups;
    this.size = 4 + groups * (this.#first.length - 4) + this.#footer.length;
  }

  slice(begin = 0, end = this.size): { arrayBuffer(): Promise<ArrayBuffer> } {
    return {
      arrayBuffer: async () => {
        this.bytesRead += end - begin;
        return this.#make(begin, end);
      },
    };
  }

  #make(begin: number, end: number): ArrayBuffer {
    const made = new Uint8Array(end - begin);
    const groupBytes = this.#first.length - 4;
    const footerAt = 4 + this.#groups * groupBytes;
    for (let at = begin; at < end; ) {
      const [source, from] =
        at >= footerAt
          ? [this.#footer, at - footerAt]
          : at < 4
            ? [this.#first, at]
            : [this.#first, 4 + ((at - 4) % groupBytes)];
      const part = source.subarray(from, from + end - at);
      made.set(part, at - begin);
      at += part.length;
    }
    return made.buffer;
  }
}

/** Reads all of it; the most memory that the rows in hand and the reader held at once, in bytes. */
async function readThrough(file: LazyFile, { rowsPerGroup, soundBytes }: Layout) {
  // What made the file is garbage, and is given back a little after it is collected.
  for (let round = 0; round < 3; round += 1) {
    collectGarbage();
    await new Promise((passed) => setTimeout(passed, 20));
  }
  const before = process.memoryUsage().arrayBuffers;
  const { rows, rowCount } = await openPairParquet('shard.parquet', file as unknown as Blob);
  let [count, most] = [0, 0];
  const step = Math.ceil(rowCount / 75);
  for await (const { row, prompt, chosen, rejected } of rows()) {
    const inGroup = row % rowsPerGroup;
    const ends = [chosen, rejected].flatMap((sound) => [sound.length, sound[0], sound.at(-1)]);
    const [first, second] = [inGroup % 251, (inGroup + 7) % 251];
    expect([row, prompt, ...ends]).toEqual([
      count,
      `sound ${inGroup}`,
      ...[soundBytes, first, first],
      ...[soundBytes, second, second],
    ]);
    count += 1;
    if (row % step === 0) {
      collectGarbage();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }
  }
  return { count, rowCount, most };
}

describe('A shard of half a gigabyte', () => {
  // Bounds of twice what is needed: memory is given back a little after it is collected.
  it.each([
    {
      name: 'row groups of 100 rows with pages of a megabyte',
      layout: { groups: 8, rowsPerGroup: 100, pageSize: MB, soundBytes: SOUND_BYTES },
      mostBytes: 80 * MB,
    },
    {
      name: 'row groups of 100 rows, each column one page',
      layout: { groups: 8, rowsPerGroup: 100, pageSize: 2 ** 30, soundBytes: SOUND_BYTES },
      mostBytes: 240 * MB,
    },
    {
      name: 'row groups of 2000 rows',
      layout: { groups: 4, rowsPerGroup: 2000, pageSize: MB, soundBytes: 32_000 },
      mostBytes: 80 * MB,
    },
  ])(
    'is never in memory as a whole, and each byte is read about once: $name',
    async ({ layout, mostBytes }) => {
      const file = new LazyFile(layout);
      expect(file.size).toBeGreaterThan(480 * MB);
      const { count, rowCount, most } = await readThrough(file, layout);
      expect([count, rowCount]).toEqual([layout.groups * layout.rowsPerGroup, count]);
      expect(most).toBeLessThan(mostBytes);
      expect(file.bytesRead).toBeLessThan(1.6 * file.size);
    },
  );
});
