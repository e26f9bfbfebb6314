import type { AsyncBuffer, FileMetaData, RowGroup } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { InvalidInputError } from '../../common/errors';

/** Footers of files that people make are kilobytes; 15,025 rows of Audio-alpaca have less than one megabyte. */
const MAX_FOOTER_BYTES = 64 * 2 ** 20;

const MAX_ROWS = 10_000_000n;

/** A Blob as hyparquet reads it: slices, never the whole file. */
export function blobBuffer(blob: Blob): AsyncBuffer {
  return {
    byteLength: blob.size,
    slice: (start, end) => blob.slice(start, end).arrayBuffer(),
  };
}

/**
 * The footer, once what it claims has been held against the file's size.
 * @throws InvalidInputError when it is not parquet, has no rows, or points outside the file
 */
export async function checkParquetMetadata(
  name: string,
  file: AsyncBuffer,
  read: (file: AsyncBuffer) => Promise<FileMetaData>,
): Promise<FileMetaData> {
  const size = file.byteLength;
  const tail = size >= 12 ? new DataView(await file.slice(size - 8, size)) : null;
  const magic = tail ? String.fromCharCode(...[4, 5, 6, 7].map((i) => tail.getUint8(i))) : '';
  if (!tail || magic !== 'PAR1') {
    throw new InvalidInputError(
      `${name} is not a parquet file: it does not end in PAR1 (${size} bytes). It may have been cut short; download it again.`,
    );
  }
  const footerBytes = tail.getUint32(0, true);
  if (footerBytes > Math.min(size - 12, MAX_FOOTER_BYTES)) {
    throw new InvalidInputError(
      `${name} is damaged: its footer claims ${footerBytes} bytes, but the file has ${size}. Download it again.`,
    );
  }
  let metadata: FileMetaData;
  try {
    metadata = await read(file);
  } catch (error) {
    throw new InvalidInputError(
      `${name} is damaged: its footer cannot be read (${error instanceof Error ? error.message : error}). Download it again.`,
      { cause: error },
    );
  }
  if (metadata.num_rows <= 0n) {
    throw new InvalidInputError(`${name} has ${metadata.num_rows} rows: there is nothing to read in it.`);
  }
  if (metadata.num_rows > MAX_ROWS) {
    throw new InvalidInputError(
      `${name} claims ${metadata.num_rows} rows; at most ${MAX_ROWS} are read. Split it.`,
    );
  }
  checkSchema(name, metadata);
  for (const [group, { columns, num_rows }] of metadata.row_groups.entries()) {
    for (const { meta_data: column } of columns) {
      if (!column) continue;
      const begin = Number(column.dictionary_page_offset || column.data_page_offset);
      const bytes = Number(column.total_compressed_size);
      if (
        !(
          [bytes, begin].every(Number.isSafeInteger) &&
          num_rows >= 0n &&
          bytes >= 0 &&
          begin >= 0 &&
          begin + bytes <= size &&
          column.num_values >= 0n &&
          column.num_values <= MAX_ROWS
        )
      ) {
        throw new InvalidInputError(
          `${name} is damaged: the column "${column.path_in_schema.join('.')}" of row group ${group + 1} claims ${bytes} bytes at ${begin}, but the file has ${size}. Download it again.`,
        );
      }
    }
  }
  return metadata;
}

/** The schema is a tree in preorder: a reader walks as many children as it claims. */
function checkSchema(name: string, { schema }: FileMetaData): void {
  const children = schema.map(({ num_children }) => num_children ?? 0);
  const whole =
    schema.every((element) => typeof element.name === 'string') &&
    children.every((count) => Number.isInteger(count) && count >= 0) &&
    children.reduce((sum, count) => sum + count, 1) === schema.length;
  if (!whole) {
    throw new InvalidInputError(
      `${name} is damaged: its schema is not a tree of named columns. Download it again.`,
    );
  }
}

/** A data page as an offset index names it, so with the index's field names. */
export interface PagePlace {
  /** Of its header in the file. */
  readonly offset: bigint;
  /** With its header. */
  readonly compressed_page_size: number;
  /** In its row group. */
  readonly first_row_index: bigint;
}

/** A page header with its statistics; hyparquet writes no more than 16 bytes of each bound, Arrow a few hundred. */
const MAX_HEADER_BYTES = 16_384;
const MAX_PAGE_BYTES = 2 ** 30;

/**
 * Walks the pages of the named columns in one row group and holds what each header claims against its chunk: a reader
 * that believes a negative size, or a count of 2^31 values, never ends.
 * @returns where the pages of each column lie, by its path: what an offset index says, which few files have. Of columns
 *   without lists: there a value is a row.
 * @throws InvalidInputError
 */
export async function checkPages(
  name: string,
  file: AsyncBuffer,
  group: RowGroup,
  columns: readonly string[],
): Promise<Record<string, PagePlace[]>> {
  const locations: Record<string, PagePlace[]> = {};
  for (const { meta_data: column } of group.columns) {
    if (!column || !columns.includes(column.path_in_schema[0]!)) continue;
    const refuse = (what: string): never => {
      throw new InvalidInputError(
        `${name} is damaged: a page of the column "${column.path_in_schema.join('.')}" ${what}. Download it again.`,
      );
    };
    const end =
      Number(column.dictionary_page_offset || column.data_page_offset) + Number(column.total_compressed_size);
    let at = Number(column.dictionary_page_offset || column.data_page_offset);
    let values = 0;
    const pages: PagePlace[] = [];
    while (at < end) {
      const view = new DataView(await file.slice(at, Math.min(at + MAX_HEADER_BYTES, end)));
      const reader = { view, offset: 0 };
      let header: ReturnType<typeof parquetHeader>;
      try {
        header = parquetHeader(reader);
      } catch {
        return refuse(`at byte ${at} has no header that can be read`);
      }
      const { compressed_page_size: bytes, uncompressed_page_size: unpacked } = header;
      if (!(bytes >= 0 && at + reader.offset + bytes <= end)) refuse(`claims ${bytes} bytes`);
      if (!(unpacked >= 0 && unpacked <= MAX_PAGE_BYTES)) refuse(`claims ${unpacked} bytes unpacked`);
      const data = header.data_page_header ?? header.data_page_header_v2;
      const count = data?.num_values ?? header.dictionary_page_header?.num_values ?? 0;
      if (!(count >= 0 && count <= Number(column.num_values))) refuse(`claims ${count} values`);
      const levels = header.data_page_header_v2;
      if (
        levels &&
        !(levels.definition_levels_byte_length >= 0 && levels.repetition_levels_byte_length >= 0)
      ) {
        refuse('claims levels of a negative size');
      }
      if (data) {
        pages.push({
          offset: BigInt(at),
          compressed_page_size: reader.offset + bytes,
          first_row_index: BigInt(values),
        });
        values += count;
      }
      at += reader.offset + bytes;
    }
    if (values !== Number(column.num_values))
      refuse(`is missing: ${values} of ${column.num_values} values are there`);
    if (column.num_values === group.num_rows) locations[column.path_in_schema.join('.')] = pages;
  }
  return locations;
}
