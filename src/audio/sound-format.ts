/** What a file of sound is by its first bytes; its name is never asked, because data sets often have it wrong. */
export type SoundFormat = 'wav' | 'flac' | 'mp3' | 'ogg';

const ID3_HEADER_BYTES = 10;

/** @returns null for bytes that are none of the formats the studio reads */
export function soundFormatOf(bytes: Uint8Array): SoundFormat | null {
  const start = afterId3(bytes);
  if (ascii(bytes, 0) === 'RIFF' && ascii(bytes, 8) === 'WAVE') return 'wav';
  if (ascii(bytes, start) === 'fLaC') return 'flac';
  if (ascii(bytes, 0) === 'OggS') return 'ogg';
  // Behind a tag, whatever it is, the decoder looks for the first frame itself.
  return start > 0 || isMpegHeader(bytes) ? 'mp3' : null;
}

/** Where the sound begins: behind an ID3v2 tag (length: four bytes of seven bits), which some FLAC files have too. */
export function afterId3(bytes: Uint8Array): number {
  if (bytes.length < ID3_HEADER_BYTES || ascii(bytes, 0, 3) !== 'ID3') return 0;
  const length = [6, 7, 8, 9].reduce((sum, i) => sum * 128 + (bytes[i]! & 0x7f), 0);
  const hasFooter = (bytes[5]! & 0x10) !== 0;
  return ID3_HEADER_BYTES + length + (hasFooter ? ID3_HEADER_BYTES : 0);
}

/** In words, for errors: a format by its name, or the first bytes. */
export function describeStart(bytes: Uint8Array): string {
  if (bytes.length === 0) return 'an empty file';
  const format = soundFormatOf(bytes);
  if (format === 'mp3') return 'an MP3 file';
  if (format === 'ogg') return 'an Ogg file';
  if (format === 'flac') return 'a FLAC file';
  const start = ascii(bytes, 0);
  if (start === 'RF64') return 'an RF64 file (WAV beyond 4 GiB)';
  if (start === 'FORM') return 'an AIFF file';
  if (ascii(bytes, 4) === 'ftyp') return 'an MP4 file';
  if (bytes[0] === 0xff && (bytes[1]! & 0xf6) === 0xf0) return 'an AAC file';
  if (start === '\x1aE\xdf\xa3') return 'a WebM or Matroska file';
  if (bytes.length < 12) return `a file of ${bytes.length} bytes`;
  return `the bytes ${[...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}`;
}

/** A frame header of MPEG audio: eleven bits set, then a version, a layer and a rate that the standard has. */
function isMpegHeader(bytes: Uint8Array): boolean {
  if (bytes.length < 4 || bytes[0] !== 0xff || (bytes[1]! & 0xe0) !== 0xe0) return false;
  const version = (bytes[1]! >> 3) & 3;
  const layer = (bytes[1]! >> 1) & 3; // 0: AAC's headers begin like this
  const rate = (bytes[2]! >> 2) & 3;
  return version !== 1 && layer !== 0 && rate !== 3;
}

function ascii(bytes: Uint8Array, offset: number, length = 4): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + length));
}
