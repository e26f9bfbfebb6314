import { InvalidInputError } from '../../common/errors';

/** A page of an Ogg stream, checked. */
export interface OggPage {
  readonly bytes: Uint8Array;
  /** Packets that end on this page, whole. */
  readonly packets: readonly Uint8Array[];
  /** Position at the end of the last of them, in the codec's samples; null when none ends here. */
  readonly granule: number | null;
}

const HEADER_BYTES = 27;
const FLAG_LAST_PAGE = 4;

/**
 * The pages of an Ogg file with one stream (RFC 3533). Each one's checksum and number are held against what is there:
 * decoders skip what is damaged in silence, and a pair would be compared by a shorter sound.
 * @throws InvalidInputError when it is cut off, damaged, or has several streams
 */
export function readOggPages(bytes: Uint8Array): readonly OggPage[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const pages: OggPage[] = [];
  let offset = 0;
  let unfinished: Uint8Array[] = [];
  let isLast = false;
  // What stands behind the last page is no part of the stream.
  while (offset < bytes.length && !isLast) {
    if (offset + HEADER_BYTES > bytes.length) throw cutOff();
    if (view.getUint32(offset) !== 0x4f676753)
      throw damaged(`page ${pages.length + 1} does not begin with "OggS"`);
    const segmentCount = bytes[offset + 26]!;
    const lacing = bytes.subarray(offset + HEADER_BYTES, offset + HEADER_BYTES + segmentCount);
    const body = offset + HEADER_BYTES + segmentCount;
    const end = body + lacing.reduce((sum, length) => sum + length, 0);
    if (end > bytes.length) throw cutOff();
    const page = bytes.subarray(offset, end);
    if (checksumOf(page) !== view.getUint32(offset + 22, true)) {
      throw damaged(`the checksum of page ${pages.length + 1} does not match`);
    }
    if (view.getUint32(offset + 14, true) !== view.getUint32(14, true)) {
      throw new InvalidInputError(
        'Ogg files with one stream are read, but this one has several. Export its sound alone.',
      );
    }
    if (view.getUint32(offset + 18, true) !== view.getUint32(18, true) + pages.length) {
      throw damaged(`page ${pages.length + 1} is missing`);
    }
    const packets: Uint8Array[] = [];
    let at = body;
    let begin = body;
    for (const length of lacing) {
      at += length;
      if (length === 255) continue;
      packets.push(joined([...unfinished, bytes.subarray(begin, at)]));
      unfinished = [];
      begin = at;
    }
    if (begin < at) unfinished.push(bytes.subarray(begin, at));
    const granule = view.getBigInt64(offset + 6, true);
    pages.push({ bytes: page, packets, granule: granule < 0n ? null : Number(granule) });
    isLast = (bytes[offset + 5]! & FLAG_LAST_PAGE) !== 0;
    offset = end;
  }
  return pages;
}

/** The codec of the stream, by its first packet. */
export function oggCodecOf(pages: readonly OggPage[]): 'vorbis' | 'opus' | null {
  const first = pages[0]?.packets[0] ?? new Uint8Array(0);
  const name = String.fromCharCode(...first.subarray(0, 8));
  if (name === 'OpusHead') return 'opus';
  return name.startsWith('\x01vorbis') ? 'vorbis' : null;
}

/** Where the stream's sound ends, in the codec's samples. */
export function lastGranuleOf(pages: readonly OggPage[]): number {
  return pages.reduce((last, { granule }) => granule ?? last, 0);
}

const CHECKSUM_TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let remainder = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) remainder = (remainder << 1) ^ (remainder < 0 ? 0x04c11db7 : 0);
  return remainder;
});

/** CRC-32 from the highest bit on, over the page with its own checksum as zeros. */
function checksumOf(page: Uint8Array): number {
  let checksum = 0;
  for (let i = 0; i < page.length; i += 1) {
    const byte = i >= 22 && i < 26 ? 0 : page[i]!;
    checksum = (checksum << 8) ^ CHECKSUM_TABLE[(checksum >>> 24) ^ byte]!;
  }
  return checksum >>> 0;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

function cutOff(): InvalidInputError {
  return new InvalidInputError('This Ogg file ends in the middle of a page. It is cut off: get it again.');
}

function damaged(what: string): InvalidInputError {
  return new InvalidInputError(`This Ogg file is damaged: ${what}. Get it again.`);
}
