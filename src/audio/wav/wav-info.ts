import { InvalidInputError } from '../../common/errors';

/**
 * Texts in a WAV file: its LIST chunk of the type INFO, as libsndfile writes it (UTF-8, ended by zeros, of even length).
 * Players show INAM as the title; `soundfile`, `mutagen` and ffmpeg read all. (The one npm package for it, wavefile, stands
 * still since 2020 and is a whole WAV codec.)
 */

/** By the chunk's four letters: INAM title, ICMT comment, ISFT software, IART artist, … */
export type WavInfo = Readonly<Record<string, string>>;

const RIFF_HEADER_BYTES = 12;
const CHUNK_HEADER_BYTES = 8;
/** What a text is read up to: longer ones are no texts. */
const MAX_TEXT_BYTES = 4 * 2 ** 20;

/**
 * The chunk's bytes; none for no texts.
 * @throws InvalidInputError for a name that is not four letters or digits
 */
export function wavInfoChunk(info: WavInfo): Uint8Array<ArrayBuffer> {
  const texts = Object.entries(info).map(([name, text]) => {
    if (/^[A-Z][A-Z0-9]{3}$/.test(name)) return { name, bytes: new TextEncoder().encode(text) };
    throw new InvalidInputError(
      `A text of a WAV file is named by four capital letters (INAM, ICMT, …), but "${name}" came.`,
    );
  });
  if (texts.length === 0) return new Uint8Array(0);
  const sizes = texts.map(({ bytes }) => evenAbove(bytes.length));
  const bodyBytes = 4 + sizes.reduce((sum, size) => sum + CHUNK_HEADER_BYTES + size, 0);
  const chunk = new Uint8Array(CHUNK_HEADER_BYTES + bodyBytes);
  const view = new DataView(chunk.buffer);
  const ascii = new TextEncoder();
  chunk.set(ascii.encode('LIST'));
  view.setUint32(4, bodyBytes, true);
  chunk.set(ascii.encode('INFO'), 8);
  let offset = RIFF_HEADER_BYTES;
  for (const [i, { name, bytes }] of texts.entries()) {
    chunk.set(ascii.encode(name), offset);
    view.setUint32(offset + 4, sizes[i]!, true);
    chunk.set(bytes, offset + CHUNK_HEADER_BYTES);
    offset += CHUNK_HEADER_BYTES + sizes[i]!;
  }
  return chunk;
}

/** The texts of a WAV file, before or behind its data; nothing where there are none, or the file is no WAV file. */
export function readWavInfo(bytes: Uint8Array): WavInfo {
  if (name(bytes, 0) !== 'RIFF' || name(bytes, 8) !== 'WAVE') return {};
  const texts: Record<string, string> = {};
  for (const list of chunksOf(bytes, RIFF_HEADER_BYTES)) {
    if (list.name !== 'LIST' || name(list.body, 0) !== 'INFO') continue;
    for (const chunk of chunksOf(list.body, 4)) {
      const end = chunk.body.indexOf(0);
      const text = end < 0 ? chunk.body : chunk.body.subarray(0, end);
      if (text.length <= MAX_TEXT_BYTES) texts[chunk.name] = new TextDecoder().decode(text);
    }
  }
  return texts;
}

function* chunksOf(bytes: Uint8Array, first: number): Iterable<{ name: string; body: Uint8Array }> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = first;
  while (offset + CHUNK_HEADER_BYTES <= bytes.length) {
    const size = view.getUint32(offset + 4, true);
    const begin = offset + CHUNK_HEADER_BYTES;
    yield { name: name(bytes, offset), body: bytes.subarray(begin, begin + size) };
    offset = begin + size + (size % 2);
  }
}

function name(bytes: Uint8Array, offset: number): string {
  return String.fromCharCode(...bytes.subarray(offset, offset + 4));
}

/** Room for the text and the zero that ends it. */
function evenAbove(length: number): number {
  return length + 2 - (length % 2);
}
