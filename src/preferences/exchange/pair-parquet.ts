import type { SchemaElement } from 'hyparquet';
import { ByteWriter, type ColumnSource, ParquetWriter } from 'hyparquet-writer';

/** A pair as a row of a parquet file. Sounds are whole WAV files. */
export interface PairRow {
  readonly prompt: string;
  readonly chosen: { readonly bytes: Uint8Array; readonly path: string };
  readonly rejected: { readonly bytes: Uint8Array; readonly path: string };
  readonly strategy: string;
  readonly split: string;
  /** JSON: the studio's id, scores of each CLAP, recipes, votes with listening times. */
  readonly studio: string;
}

/** Rows of one group: at 10 s of 16 kHz their sounds are 64 MB at most. */
export const ROWS_PER_GROUP = 100;

const text = (name: string): SchemaElement => ({
  name,
  type: 'BYTE_ARRAY',
  converted_type: 'UTF8',
  repetition_type: 'OPTIONAL',
});
const sound = (name: string): SchemaElement[] => [
  { name, num_children: 2, repetition_type: 'OPTIONAL' },
  { name: 'bytes', type: 'BYTE_ARRAY', repetition_type: 'OPTIONAL' },
  text('path'),
];
const TEXT_COLUMNS = ['strategy', 'split', 'studio'] as const;
const SCHEMA: SchemaElement[] = [
  { name: 'schema', num_children: 3 + TEXT_COLUMNS.length },
  text('prompt'),
  ...sound('chosen'),
  ...sound('rejected'),
  ...TEXT_COLUMNS.map(text),
];

/** What makes `datasets` show the structs as Audio. */
function featureMetadata(sampleRateHz: number | null): string {
  const value = { dtype: 'string', _type: 'Value' };
  const audio = { ...(sampleRateHz === null ? {} : { sampling_rate: sampleRateHz }), _type: 'Audio' };
  const texts = Object.fromEntries(TEXT_COLUMNS.map((name) => [name, value]));
  return JSON.stringify({ info: { features: { prompt: value, chosen: audio, rejected: audio, ...texts } } });
}

/** Hands its bytes over after each row group, so that a large file is never in memory. */
class BlobWriter extends ByteWriter {
  readonly #parts: Blob[] = [];

  flush(): void {
    this.#parts.push(new Blob([this.getBuffer()]));
    this.index = 0;
  }

  toBlob(): Blob {
    this.flush();
    return new Blob(this.#parts, { type: 'application/vnd.apache.parquet' });
  }
}

/**
 * A parquet file that Python's `datasets` opens with Audio columns, written row group by row group.
 * @param sampleRateHz of all sounds; null when they differ
 */
export async function writePairParquet(
  rows: AsyncIterable<PairRow>,
  sampleRateHz: number | null,
): Promise<Blob> {
  const writer = new BlobWriter();
  const parquet = new ParquetWriter({
    writer,
    schema: SCHEMA,
    // Sounds do not get smaller, and their bytes as bounds would mean nothing.
    codec: 'UNCOMPRESSED',
    statistics: false,
    kvMetadata: [{ key: 'huggingface', value: featureMetadata(sampleRateHz) }],
  });
  let group: PairRow[] = [];
  const writeGroup = async (): Promise<void> => {
    if (group.length === 0) return;
    const columns = ['prompt', 'chosen', 'rejected', ...TEXT_COLUMNS] as const;
    const columnData: ColumnSource[] = columns.map((name) => ({
      name,
      data: group.map((row) => row[name]),
      ...(name === 'chosen' || name === 'rejected' ? { encoding: 'PLAIN' } : {}),
    }));
    await parquet.write({ columnData, rowGroupSize: ROWS_PER_GROUP });
    group = [];
  };
  for await (const row of rows) {
    group.push(row);
    if (group.length === ROWS_PER_GROUP) await writeGroup();
  }
  await writeGroup();
  await parquet.finish();
  return writer.toBlob();
}
