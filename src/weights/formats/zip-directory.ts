/**
 * The directory of a zip file over a Blob, as torch.save writes it: stored entries that can be read by slices. Zip
 * libraries give an entry's content, not where it lies, and so would copy a whole storage for one of its views.
 * Anything torch does not write (compression, encryption, overlaps, duplicates) is refused.
 * Format: PKWARE APPNOTE 6.3.10, sections 4.3 and 4.5.3.
 */
import { WeightsFormatError } from '../../common/errors';
import { quoted } from '../../common/quoted';
import { crc32 } from './crc32';

export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly crc: number;
  /** Where the local header begins. */
  readonly headerStart: number;
  /** Where the next entry, or the directory, begins. */
  readonly limit: number;
}

export interface ZipDirectory {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** The part of the file that holds an entry's content. @throws WeightsFormatError when its header is damaged */
  content(entry: ZipEntry): Promise<Blob>;
}

const END_SIGNATURE = 0x06054b50;
const END64_SIGNATURE = 0x06064b50;
const LOCATOR64_SIGNATURE = 0x07064b50;
const CENTRAL_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const END_BYTES = 22;
const LOCATOR64_BYTES = 20;
const END64_BYTES = 56;
const CENTRAL_BYTES = 46;
const LOCAL_BYTES = 30;
const MAX_COMMENT_BYTES = 0xffff;
/** 100,000 tensors of long names; more is an attack or damage. */
const MAX_DIRECTORY_BYTES = 32 * 2 ** 20;
const AGAIN = 'The file is damaged or cut short; download it again.';

/**
 * Reads and checks the directory: every entry lies within the file, none overlaps another.
 * @throws WeightsFormatError
 */
export async function openZipDirectory(blob: Blob, label: string): Promise<ZipDirectory> {
  const { start, size, count } = await findDirectory(blob, label);
  if (size > MAX_DIRECTORY_BYTES || start + size > blob.size) {
    throw new WeightsFormatError(
      `${label}: expected a zip directory within the file's ${blob.size} bytes, the file says ${size} bytes at ${start}. ${AGAIN}`,
    );
  }
  const view = await viewOf(blob, start, start + size);
  const entries = placed(readEntries(view, count, label), start, label);
  return { entries, content: (entry) => contentOf(blob, entry, label) };
}

/** An entry's bytes, its CRC checked. @throws WeightsFormatError */
export async function readZipEntry(zip: ZipDirectory, entry: ZipEntry, label: string): Promise<Uint8Array> {
  const bytes = new Uint8Array(await (await zip.content(entry)).arrayBuffer());
  checkCrc(entry, crc32(bytes), label);
  return bytes;
}

/** @throws WeightsFormatError when the content is not what was saved */
export function checkCrc(entry: ZipEntry, crc: number, label: string): void {
  if (crc === entry.crc) return;
  throw new WeightsFormatError(
    `${label}: expected the CRC ${hex(entry.crc)} of ${quoted(entry.name)}, its bytes have ${hex(crc)}. ${AGAIN}`,
  );
}

async function findDirectory(
  blob: Blob,
  label: string,
): Promise<{ start: number; size: number; count: number }> {
  const tailStart = Math.max(0, blob.size - END_BYTES - MAX_COMMENT_BYTES);
  const tail = await viewOf(blob, tailStart, blob.size);
  let at = tail.byteLength - END_BYTES;
  while (at >= 0 && tail.getUint32(at, true) !== END_SIGNATURE) at -= 1;
  if (at < 0) {
    throw new WeightsFormatError(
      `${label}: expected a zip file as torch.save writes it, which ends with a directory; there is none. ${AGAIN}`,
    );
  }
  const locatorStart = tailStart + at - LOCATOR64_BYTES;
  const locator = locatorStart >= 0 ? await viewOf(blob, locatorStart, locatorStart + LOCATOR64_BYTES) : null;
  if (locator?.getUint32(0, true) === LOCATOR64_SIGNATURE) {
    const end64Start = uint64(locator, 8, label);
    if (end64Start + END64_BYTES <= locatorStart) {
      const end64 = await viewOf(blob, end64Start, end64Start + END64_BYTES);
      if (end64.getUint32(0, true) === END64_SIGNATURE) {
        return {
          count: uint64(end64, 32, label),
          size: uint64(end64, 40, label),
          start: uint64(end64, 48, label),
        };
      }
    }
    throw new WeightsFormatError(`${label}: the zip64 record is not where the file says. ${AGAIN}`);
  }
  return {
    count: tail.getUint16(at + 10, true),
    size: tail.getUint32(at + 12, true),
    start: tail.getUint32(at + 16, true),
  };
}

type UnplacedEntry = Omit<ZipEntry, 'limit'>;

function readEntries(view: DataView, count: number, label: string): ReadonlyMap<string, UnplacedEntry> {
  const entries = new Map<string, UnplacedEntry>();
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    if (at + CENTRAL_BYTES > view.byteLength || view.getUint32(at, true) !== CENTRAL_SIGNATURE) {
      throw new WeightsFormatError(
        `${label}: expected ${count} entries in the zip directory, it ends after ${index}. ${AGAIN}`,
      );
    }
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const next = at + CENTRAL_BYTES + nameLength + extraLength + view.getUint16(at + 32, true);
    if (next > view.byteLength) {
      throw new WeightsFormatError(`${label}: entry ${index} of the zip directory is cut short. ${AGAIN}`);
    }
    const name = decodeName(view, at + CENTRAL_BYTES, nameLength);
    const entry = readEntry(view, at, name, nameLength, extraLength, label);
    if (entries.has(name)) {
      throw new WeightsFormatError(
        `${label}: expected each zip entry once, got ${quoted(name)} twice. Do not use this file: torch never writes it.`,
      );
    }
    entries.set(name, entry);
    at = next;
  }
  return entries;
}

function readEntry(
  view: DataView,
  at: number,
  name: string,
  nameLength: number,
  extraLength: number,
  label: string,
): UnplacedEntry {
  const flags = view.getUint16(at + 8, true);
  const method = view.getUint16(at + 10, true);
  if (method !== 0 || (flags & 1) !== 0) {
    throw new WeightsFormatError(
      `${label}: expected stored entries, ${quoted(name)} is ${method !== 0 ? `compressed (method ${method})` : 'encrypted'}. ` +
        'torch.save never compresses; load the file in Python and save it again as safetensors.',
    );
  }
  // Fields of 32 bits that are all ones stand in the zip64 extra field, in this order.
  const wide = zip64Fields(view, at + CENTRAL_BYTES + nameLength, extraLength, label);
  const field = (offset: number): number => {
    const value = view.getUint32(at + offset, true);
    if (value !== 0xffffffff) return value;
    const next = wide.shift();
    if (next !== undefined) return next;
    throw new WeightsFormatError(`${label}: ${quoted(name)} lacks its zip64 sizes. ${AGAIN}`);
  };
  const size = field(24);
  const compressedSize = field(20);
  const headerStart = field(42);
  if (size !== compressedSize) {
    throw new WeightsFormatError(
      `${label}: ${quoted(name)} is stored, but says ${compressedSize} bytes for ${size}. ${AGAIN}`,
    );
  }
  return { name, size, crc: view.getUint32(at + 16, true), headerStart };
}

function zip64Fields(view: DataView, start: number, length: number, label: string): number[] {
  const end = start + length;
  for (let at = start; at + 4 <= end; ) {
    const size = view.getUint16(at + 2, true);
    const fieldEnd = at + 4 + size;
    if (fieldEnd > end) break;
    if (view.getUint16(at, true) === 1) {
      const values: number[] = [];
      for (let i = at + 4; i + 8 <= fieldEnd; i += 8) values.push(uint64(view, i, label));
      return values;
    }
    at = fieldEnd;
  }
  return [];
}

/** Entries lie one behind the other before the directory. */
function placed(
  entries: ReadonlyMap<string, UnplacedEntry>,
  directoryStart: number,
  label: string,
): ReadonlyMap<string, ZipEntry> {
  const inOrder = [...entries.values()].sort((a, b) => a.headerStart - b.headerStart);
  const limits = new Map(
    inOrder.map((entry, i) => [entry.name, inOrder[i + 1]?.headerStart ?? directoryStart]),
  );
  return new Map(
    [...entries].map(([name, entry]): [string, ZipEntry] => {
      const limit = limits.get(name) ?? directoryStart;
      if (entry.headerStart + LOCAL_BYTES + entry.size <= limit) return [name, { ...entry, limit }];
      throw new WeightsFormatError(
        `${label}: expected ${quoted(name)} to end before byte ${limit}, it has ${entry.size} bytes from ${entry.headerStart} and overlaps what follows. ${AGAIN}`,
      );
    }),
  );
}

/** The local header says once more what the entry is: a file that says two things is hostile, or damaged. */
async function contentOf(blob: Blob, entry: ZipEntry, label: string): Promise<Blob> {
  const { headerStart, limit, name, size } = entry;
  const header = await viewOf(blob, headerStart, headerStart + LOCAL_BYTES);
  if (header.byteLength === LOCAL_BYTES && header.getUint32(0, true) === LOCAL_SIGNATURE) {
    const nameLength = header.getUint16(26, true);
    const nameStart = headerStart + LOCAL_BYTES;
    const start = nameStart + nameLength + header.getUint16(28, true);
    const stored = header.getUint16(8, true) === 0;
    const localName = decodeName(await viewOf(blob, nameStart, nameStart + nameLength), 0, nameLength);
    if (stored && localName === name && start + size <= limit) return blob.slice(start, start + size);
  }
  throw new WeightsFormatError(
    `${label}: the content of ${quoted(name)} is not where, or not what, the zip directory says. ${AGAIN}`,
  );
}

async function viewOf(blob: Blob, start: number, end: number): Promise<DataView> {
  return new DataView(await blob.slice(start, end).arrayBuffer());
}

function uint64(view: DataView, at: number, label: string): number {
  const value = view.getBigUint64(at, true);
  if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
  throw new WeightsFormatError(`${label}: the zip directory says ${value} where a size should be. ${AGAIN}`);
}

function decodeName(view: DataView, start: number, length: number): string {
  const available = Math.max(0, Math.min(length, view.byteLength - start));
  return new TextDecoder().decode(new Uint8Array(view.buffer, view.byteOffset + start, available));
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
