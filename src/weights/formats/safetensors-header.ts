import { formatShape } from '../../common/assert';
import { WeightsFormatError } from '../../common/errors';
import { quoted } from '../../common/quoted';
import { BYTES_PER_ELEMENT, type TensorDtype, type TensorEntry } from '../state-dict';
import { duplicateJsonKey } from './duplicate-json-key';

export interface SafetensorsEntry extends TensorEntry {
  /** Offset from the first byte after the header. */
  readonly start: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
}

const AGAIN = 'The file is damaged or was not written by a safetensors library; download or save it again.';

/**
 * Parses and checks a header: every tensor's size is its shape times its type, and together they cover the data
 * without a hole, an overlap or a tail.
 *
 * @param dataLength bytes that follow the header in the file.
 * @throws WeightsFormatError
 */
export function parseSafetensorsHeader(
  bytes: Uint8Array,
  dataLength: number,
  label: string,
): SafetensorsHeader {
  checkStructure(bytes, label);
  const text = decodeUtf8(bytes, label);
  const header = parseJson(text, label);
  if (!isRecord(header)) {
    throw new WeightsFormatError(
      `${label}: expected a JSON object as header, got ${excerpt(header)}. ${AGAIN}`,
    );
  }
  const duplicate = duplicateJsonKey(text);
  if (duplicate !== null) {
    throw new WeightsFormatError(
      `${label}: expected each name once, got ${quoted(duplicate)} twice. ${AGAIN}`,
    );
  }
  const tensors = new Map<string, SafetensorsEntry>();
  let metadata: ReadonlyMap<string, string> = new Map();
  for (const [name, value] of Object.entries(header)) {
    if (name === '__metadata__') metadata = parseMetadata(value, label);
    else tensors.set(name, parseEntry(name, value, label));
  }
  checkCoverage(tensors, dataLength, label);
  return { metadata, tensors };
}

/** {"name": {"shape": []}}: no header is deeper, and a tensor's three brackets come with 50 characters. */
const MAX_DEPTH = 3;
const MIN_BYTES_A_BRACKET = 16;
/** Sizes of a tensor. */
const MAX_RANK = 16;
/** dtype, shape, data_offsets, and one more; what `__metadata__` may have beside them. */
const MAX_FIELDS = 4;
const MAX_METADATA = 10_000;

/**
 * Refuses what `JSON.parse` would make many times the file's size of, before it does: brackets within or beside
 * brackets, members that are no tensors, sizes without end. One pass; in UTF-8 no byte of another character looks like a
 * bracket, a quote, a comma or a backslash.
 */
function checkStructure(bytes: Uint8Array, label: string): void {
  let depth = 0;
  let brackets = 0;
  let objects = 0;
  /** Commas between names, between the fields of all objects, and between the sizes of one list. */
  const commas = [0, 0, 0];
  let quoting = false;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i];
    if (quoting) {
      if (byte === 0x5c) i += 1;
      else if (byte === 0x22) quoting = false;
      continue;
    }
    if (byte === 0x22) quoting = true;
    else if (byte === 0x2c && depth > 0) commas[depth - 1]! += 1;
    else if (byte === 0x7b || byte === 0x5b) {
      depth += 1;
      brackets += 1;
      if (depth === 2) objects += 1;
      commas[2] = 0;
    } else if (byte === 0x7d || byte === 0x5d) depth -= 1;
    else continue;
    const [names = 0, fields = 0, sizes = 0] = commas;
    if (
      depth > MAX_DEPTH ||
      brackets * MIN_BYTES_A_BRACKET > bytes.length + 64 ||
      names > objects + MAX_FIELDS ||
      fields > objects * MAX_FIELDS + MAX_METADATA ||
      sizes >= MAX_RANK
    ) {
      throw new WeightsFormatError(
        `${label}: expected a header of names with dtype, shape and data_offsets, got brackets within brackets, or ` +
          `more fields or sizes than a tensor has, at byte ${i}. ${AGAIN}`,
      );
    }
  }
}

function decodeUtf8(bytes: Uint8Array, label: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new WeightsFormatError(`${label}: expected a header in UTF-8, got other bytes. ${AGAIN}`, {
      cause,
    });
  }
}

function parseJson(text: string, label: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WeightsFormatError(
      `${label}: expected a header in JSON, got "${text.slice(0, 40)}". ${AGAIN}`,
      {
        cause,
      },
    );
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function excerpt(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function parseMetadata(value: unknown, label: string): ReadonlyMap<string, string> {
  if (!isRecord(value) || Object.values(value).some((item) => typeof item !== 'string')) {
    throw new WeightsFormatError(
      `${label}: expected "__metadata__" to hold strings, got ${excerpt(value)}. ${AGAIN}`,
    );
  }
  return new Map(Object.entries(value).map(([key, item]) => [key, String(item)]));
}

function parseEntry(name: string, value: unknown, label: string): SafetensorsEntry {
  if (!isRecord(value)) {
    throw new WeightsFormatError(
      `${label}: expected ${quoted(name)} to have dtype, shape and data_offsets, got ${excerpt(value)}. ${AGAIN}`,
    );
  }
  const dtype = parseDtype(name, value.dtype, label);
  const shape = parseSizes(name, 'shape', value.shape, label);
  const offsets = parseSizes(name, 'data_offsets', value.data_offsets, label);
  const [start, end] = offsets;
  if (offsets.length !== 2 || start === undefined || end === undefined || end < start) {
    throw new WeightsFormatError(
      `${label}: expected data_offsets [begin, end] with begin <= end for ${quoted(name)}, got ${formatShape(offsets)}. ${AGAIN}`,
    );
  }
  const byteLength = shape.reduce((product, size) => product * size, BYTES_PER_ELEMENT[dtype]);
  if (!Number.isSafeInteger(byteLength) || byteLength !== end - start) {
    throw new WeightsFormatError(
      `${label}: expected ${byteLength} bytes for ${quoted(name)} (${dtype} ${formatShape(shape)}), ` +
        `its data_offsets span ${end - start}. ${AGAIN}`,
    );
  }
  return { dtype, shape, byteLength, start };
}

function parseDtype(name: string, value: unknown, label: string): TensorDtype {
  const dtypes = Object.keys(BYTES_PER_ELEMENT) as TensorDtype[];
  const dtype = dtypes.find((known) => known === value);
  if (!dtype) {
    throw new WeightsFormatError(
      `${label}: expected the dtype of ${quoted(name)} to be one of ${dtypes.join(', ')}, got ${excerpt(value)}. ` +
        'Convert the checkpoint to float16 or float32.',
    );
  }
  return dtype;
}

function parseSizes(name: string, field: string, value: unknown, label: string): readonly number[] {
  const valid =
    Array.isArray(value) && value.every((item: unknown) => Number.isSafeInteger(item) && Number(item) >= 0);
  if (!valid) {
    throw new WeightsFormatError(
      `${label}: expected ${field} of ${quoted(name)} to be whole numbers from 0 to 2^53 - 1, got ${excerpt(value)}. ${AGAIN}`,
    );
  }
  return value.map(Number);
}

function checkCoverage(
  tensors: ReadonlyMap<string, SafetensorsEntry>,
  dataLength: number,
  label: string,
): void {
  const byPosition = [...tensors].sort(([, a], [, b]) => a.start - b.start || a.byteLength - b.byteLength);
  let position = 0;
  for (const [name, tensor] of byPosition) {
    if (tensor.start !== position) {
      const problem = tensor.start < position ? 'overlaps the tensor before it' : 'leaves a gap before it';
      throw new WeightsFormatError(
        `${label}: expected ${quoted(name)} to begin at byte ${position} of the data, it begins at ${tensor.start} ` +
          `and ${problem}. ${AGAIN}`,
      );
    }
    position += tensor.byteLength;
  }
  if (position !== dataLength) {
    const problem = dataLength < position ? 'It is cut short; download it again.' : AGAIN;
    throw new WeightsFormatError(
      `${label}: expected ${position} bytes of data after the header, the file has ${dataLength}. ${problem}`,
    );
  }
}
