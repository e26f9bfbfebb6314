import { parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import Papa from 'papaparse';
import { InvalidInputError } from '../../common/errors';
import { blobBuffer, checkPages, checkParquetMetadata } from '../exchange/parquet-file';
import { collectPrompts, MAX_POOL_SIZE, type PromptPool } from './collect-prompts';

/** Names of a caption column, the likeliest first. */
const CAPTION_COLUMNS = ['prompt', 'caption', 'captions', 'text', 'description', 'sentence'];
const MAX_TEXT_BYTES = 256 * 2 ** 20;

export interface PromptFileOptions {
  /** Column or field that holds the captions; default: the first of prompt, caption, text, … that is there. */
  readonly column?: string;
}

/**
 * Captions from a file: .txt (one a line), .csv/.tsv, .jsonl/.ndjson/.json, .parquet, by the name's ending.
 * @throws InvalidInputError saying what the file lacks
 */
export async function parsePromptFile(
  name: string,
  blob: Blob,
  options: PromptFileOptions = {},
): Promise<PromptPool> {
  const ending = /\.([a-z0-9]+)$/i.exec(name)?.[1]?.toLowerCase() ?? 'txt';
  if (ending === 'parquet') return parquetPrompts(name, blob, options);
  if (blob.size > MAX_TEXT_BYTES) {
    throw new InvalidInputError(
      `${name} has ${Math.round(blob.size / 2 ** 20)} MB; a caption file has at most ${MAX_TEXT_BYTES / 2 ** 20}. Split it.`,
    );
  }
  const text = new TextDecoder().decode(await blob.arrayBuffer()).replace(/^\ufeff/, '');
  if (text.includes('\0')) {
    throw new InvalidInputError(`${name} is not text: it has NUL characters. Save it as UTF-8 text.`);
  }
  const pool =
    ending === 'csv' || ending === 'tsv'
      ? csvPrompts(name, text, options)
      : ['jsonl', 'ndjson', 'json'].includes(ending)
        ? jsonPrompts(name, text, options)
        : textPrompts(text);
  return notEmpty(name, pool);
}

/** One caption a line. */
export function textPrompts(text: string): PromptPool {
  const pool = collectPrompts(text.split(/\r\n|\r|\n/));
  // A blank line is how people part lines, not a mistake to tell of.
  return { ...pool, rejected: pool.rejected.filter(({ reason }) => reason !== 'empty') };
}

function csvPrompts(name: string, text: string, { column }: PromptFileOptions): PromptPool {
  const { data, errors } = Papa.parse<string[]>(text, { skipEmptyLines: 'greedy' });
  const broken = errors.find(({ type }) => type === 'Quotes');
  if (broken) {
    throw new InvalidInputError(
      `${name}, row ${(broken.row ?? 0) + 1}: ${broken.message}. Close the quotes, or save the file as CSV again.`,
    );
  }
  const [header = [], ...rows] = data;
  const names = header.map((cell) => cell.trim().toLowerCase());
  if (header.length === 1 && !column && !CAPTION_COLUMNS.includes(names[0] ?? '')) {
    return collectPrompts(data.map(([cell]) => cell)); // one column without a heading
  }
  const at = names.indexOf(chooseColumn(name, names, column?.toLowerCase()));
  return collectPrompts(rows.map((row) => row[at]));
}

function jsonPrompts(name: string, text: string, { column }: PromptFileOptions): PromptPool {
  const values: unknown[] = text.trimStart().startsWith('[')
    ? (parseJson(name, 1, text) as unknown[])
    : text
        .split('\n')
        .map((line, i) => ({ line: line.trim(), i }))
        .filter(({ line }) => line !== '')
        .map(({ line, i }) => parseJson(name, i + 1, line));
  const first = values.find((value) => typeof value === 'object' && value !== null);
  if (!first) return collectPrompts(values);
  const field = chooseColumn(name, Object.keys(first), column);
  return collectPrompts(
    values.map((value) =>
      typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[field] : value,
    ),
  );
}

function parseJson(name: string, line: number, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new InvalidInputError(
      `${name}, line ${line}, is not JSON: ${error instanceof Error ? error.message : error}. Write one JSON value a line.`,
      { cause: error },
    );
  }
}

async function parquetPrompts(name: string, blob: Blob, { column }: PromptFileOptions): Promise<PromptPool> {
  const file = blobBuffer(blob);
  const metadata = await checkParquetMetadata(name, file, parquetMetadataAsync);
  const names = topLevelNames(metadata.schema);
  const field = chooseColumn(name, names, column);
  for (const group of metadata.row_groups) await checkPages(name, file, group, [field]);
  const rows = await parquetReadObjects({
    file,
    metadata,
    columns: [field],
    rowEnd: Math.min(Number(metadata.num_rows), 2 * MAX_POOL_SIZE),
  }).catch((error: unknown) => {
    throw new InvalidInputError(
      `${name} is damaged: its column "${field}" cannot be read (${error instanceof Error ? error.message : error}). Download or export it again.`,
      { cause: error },
    );
  });
  return notEmpty(name, collectPrompts(rows.map((row) => row[field])));
}

/** Columns at the top of a parquet schema, which is a tree in preorder. */
export function topLevelNames(schema: readonly { name: string; num_children?: number }[]): string[] {
  const names: string[] = [];
  let index = 1;
  const skip = (): void => {
    const children = schema[index++]?.num_children ?? 0;
    for (let child = 0; child < children && index < schema.length; child += 1) skip();
  };
  while (index < schema.length) {
    names.push(schema[index]!.name);
    skip();
  }
  return names;
}

function chooseColumn(file: string, names: readonly string[], asked: string | undefined): string {
  const chosen = asked ?? CAPTION_COLUMNS.find((name) => names.includes(name));
  if (chosen !== undefined && names.includes(chosen)) return chosen;
  throw new InvalidInputError(
    `${file} has the columns ${names.map((name) => `"${name.slice(0, 40)}"`).join(', ') || '(none)'}, but ${
      asked ? `"${asked}" was asked for` : `none of ${CAPTION_COLUMNS.join(', ')}`
    }. Name the column that holds the captions.`,
  );
}

function notEmpty(name: string, pool: PromptPool): PromptPool {
  if (pool.prompts.length > 0) return pool;
  const [first] = pool.rejected;
  const why = first
    ? `: row ${first.row} is ${first.reason.replaceAll('-', ' ')} (“${first.text.slice(0, 40)}…”)`
    : ': it is empty';
  throw new InvalidInputError(
    `${name} holds no caption that can be used${why}. A caption has 1 to 2000 characters.`,
  );
}
