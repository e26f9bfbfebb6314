import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { InvalidInputError } from '../../common/errors';
import { topLevelNames } from '../prompt-pool/parse-prompts';
import { blobBuffer, checkPages, checkParquetMetadata, type PagePlace } from './parquet-file';

/** Audio-alpaca's names first, then CRPO's (TangoFlux). */
const COLUMNS = {
  prompt: ['prompt', 'captions', 'caption', 'text'],
  chosen: ['chosen'],
  rejected: ['rejected', 'reject'],
} as const;
/** Rows read together, where pages are small: their sounds are in memory at once. */
const ROWS_AT_ONCE = 16;

export interface ReadPairRow {
  /** 0 for the first of the file. */
  readonly row: number;
  readonly prompt: string;
  readonly chosen: Uint8Array;
  readonly rejected: Uint8Array;
  readonly strategy: string;
  readonly split: string | null;
}

export interface PairParquet {
  readonly rowCount: number;
  readonly rows: () => AsyncGenerator<ReadPairRow>;
}

/**
 * Opens a parquet file of pairs; its rows are read a few at a time, page by page.
 * @throws InvalidInputError naming what the file lacks, at once or at the row
 */
export async function openPairParquet(name: string, blob: Blob): Promise<PairParquet> {
  const file = blobBuffer(blob);
  const metadata = await checkParquetMetadata(name, file, parquetMetadataAsync);
  const names = topLevelNames(metadata.schema);
  const find = (wanted: readonly string[]): string => {
    const column = wanted.find((one) => names.includes(one));
    if (column !== undefined) return column;
    throw new InvalidInputError(
      `${name} has the columns ${names.map((one) => `"${one.slice(0, 40)}"`).join(', ')}, but pairs need one called ${wanted.join(' or ')}. Rename it, or choose a file of pairs.`,
    );
  };
  const [prompt, chosen, rejected] = [COLUMNS.prompt, COLUMNS.chosen, COLUMNS.rejected].map(find) as [
    string,
    string,
    string,
  ];
  const others = ['strategy', 'split'].filter((one) => names.includes(one));
  const columns = [prompt, chosen, rejected, ...others];

  async function* rows(): AsyncGenerator<ReadPairRow> {
    let row = 0;
    for (const [index, group] of metadata.row_groups.entries()) {
      const locations = await checkPages(name, file, group, columns);
      const begin = row;
      const end = row + Number(group.num_rows);
      while (row < end) {
        const rowEnd = Math.min(begin + batchEnd(row - begin, end - begin, locations), end);
        const options = {
          file,
          metadata,
          columns,
          rowStart: row,
          rowEnd,
          utf8: false,
          // Without it, a column's whole part of the row group would be read and unpacked for every few rows.
          pageLocationsByGroup: Object.assign([], { [index]: locations }),
        };
        const read = await parquetReadObjects(options).catch((error: unknown) => {
          throw new InvalidInputError(
            `${name} is damaged at row ${row + 1}: ${error instanceof Error ? error.message : error}. Download it again.`,
            { cause: error },
          );
        });
        for (const record of read) {
          yield {
            row,
            prompt: textOf(name, row, prompt, record[prompt]),
            chosen: soundOf(name, row, chosen, record[chosen]),
            rejected: soundOf(name, row, rejected, record[rejected]),
            strategy: typeof record.strategy === 'string' ? record.strategy : 'imported',
            split: typeof record.split === 'string' ? record.split : null,
          };
          row += 1;
        }
      }
    }
  }
  return { rowCount: Number(metadata.num_rows), rows };
}

/**
 * The row of a group, `row` not included, up to which to read: a page is unpacked as a whole, so that a large one is read
 * to its end, and only once.
 */
function batchEnd(row: number, rowCount: number, locations: Readonly<Record<string, PagePlace[]>>): number {
  const pageEnds = Object.values(locations).map((pages) =>
    Number(pages.find(({ first_row_index }) => first_row_index > row)?.first_row_index ?? rowCount),
  );
  return Math.max(row + ROWS_AT_ONCE, Math.min(...pageEnds));
}

function textOf(name: string, row: number, column: string, value: unknown): string {
  if (typeof value === 'string' && value.trim() !== '') return value;
  throw new InvalidInputError(`${name}, row ${row + 1}: "${column}" is not a caption but ${nameOf(value)}.`);
}

function soundOf(name: string, row: number, column: string, value: unknown): Uint8Array {
  const bytes = value instanceof Uint8Array ? value : (value as { bytes?: unknown } | null)?.bytes;
  if (bytes instanceof Uint8Array && bytes.length > 0) return bytes;
  throw new InvalidInputError(
    `${name}, row ${row + 1}: "${column}" holds no sound (struct of bytes and path was expected, ${nameOf(value)} came). A dataset that only names files has to be exported with its sounds in it.`,
  );
}

function nameOf(value: unknown): string {
  if (value === null || value === undefined) return 'nothing';
  if (typeof value === 'object')
    return `an object with ${Object.keys(value).slice(0, 4).join(', ') || 'no fields'}`;
  return `${typeof value} ${JSON.stringify(String(value).slice(0, 30))}`;
}
