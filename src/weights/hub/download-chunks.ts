import { NetworkError } from '../../common/errors';
import { ATTEMPTS, type HubAccess, hubRequest, pauseAfter } from './hub-request';

/** Requests under way at once for one file. */
const PARALLEL = 4;

/** The server's file is not the one that the download began with. */
export class FileChangedError extends NetworkError {}
/** The server sent the whole file where a part of it was asked for. */
class RangeIgnoredError extends NetworkError {}

export interface ChunkedFile {
  readonly url: string;
  readonly size: number;
  readonly chunkBytes: number;
  /** ETag of the first answer; null before there was one. */
  readonly etag: string | null;
}

export interface ChunkOptions {
  /** Chunks that are here already. */
  readonly held: ReadonlySet<number>;
  /** Takes a chunk whose every byte has come. */
  readonly keep: (index: number, bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
  readonly onEtag: (etag: string) => Promise<void>;
  /** Bytes that came; negative for those that have to come again. */
  readonly onBytes: (count: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Fetches the chunks of a file that are not held: up to four requests of a chunk each at a time, every one taken up at
 * the byte where it broke off. From a server that knows no ranges the file comes in one piece.
 *
 * @throws FileChangedError, NetworkError, what `keep` throws (chunks that were kept are whole), the signal's reason
 */
export async function downloadChunks(
  access: HubAccess,
  file: ChunkedFile,
  options: ChunkOptions,
): Promise<void> {
  const waiting = [...spansOf(file)].filter(({ index }) => !options.held.has(index));
  const stop = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, stop.signal]) : stop.signal;
  const transfer = new Transfer(access, file, options, signal);
  const fetchNext = async (): Promise<void> => {
    for (let span = waiting.shift(); span; span = waiting.shift()) {
      await options.keep(span.index, await transfer.span(span));
    }
  };
  try {
    // The first alone: it tells the ETag, and whether the server knows ranges.
    const first = waiting.shift();
    if (first) await options.keep(first.index, await transfer.span(first));
    await Promise.all(Array.from({ length: Math.min(PARALLEL, waiting.length) }, fetchNext));
  } catch (error) {
    stop.abort(error);
    options.signal?.throwIfAborted();
    if (!(error instanceof RangeIgnoredError)) throw error;
    await downloadInOnePiece(new Transfer(access, file, options, options.signal));
  }
}

interface Span {
  readonly index: number;
  /** The bytes `start` to before `end` of the file. */
  readonly start: number;
  readonly end: number;
}

function* spansOf({ size, chunkBytes }: ChunkedFile): Generator<Span> {
  for (let index = 0, start = 0; start < size; index++, start += chunkBytes) {
    yield { index, start, end: Math.min(start + chunkBytes, size) };
  }
}

class Transfer {
  #etag: string | null;

  constructor(
    readonly access: HubAccess,
    readonly file: ChunkedFile,
    readonly options: ChunkOptions,
    readonly signal: AbortSignal | undefined,
  ) {
    this.#etag = file.etag;
  }

  /** One chunk, by as many requests as it takes. */
  async span({ start, end }: Span): Promise<Uint8Array<ArrayBuffer>> {
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    for (let failures = 0; filled < bytes.byteLength; ) {
      const from = start + filled;
      const response = await this.open(`bytes=${from}-${end - 1}`);
      const wrong = wrongRange(response, from, end, this.file);
      if (wrong instanceof RangeIgnoredError || wrong instanceof FileChangedError) throw wrong;
      const before = filled;
      try {
        if (wrong) throw wrong;
        for await (const piece of piecesOf(response)) {
          if (filled + piece.byteLength > bytes.byteLength) {
            throw new NetworkError(`${this.file.url} sent more than the ${end - from} bytes asked for.`);
          }
          bytes.set(piece, filled);
          filled += piece.byteLength;
          this.options.onBytes(piece.byteLength);
        }
        if (filled === bytes.byteLength) break;
        throw new NetworkError(`The connection ended ${bytes.byteLength - filled} bytes before its time.`);
      } catch (cause) {
        await response.body?.cancel().catch(() => {}); // it has failed already
        failures = filled > before ? 1 : failures + 1;
        await this.again(failures, cause);
      }
    }
    return bytes;
  }

  /** An answer that may hold the file: no web page, and with the ETag of those before it. */
  async open(range?: string): Promise<Response> {
    const response = await hubRequest(this.access, this.file.url, {
      signal: this.signal,
      ...(range === undefined ? {} : { range }),
    });
    if (/text\/html/.test(response.headers.get('content-type') ?? '')) {
      await response.body?.cancel();
      throw new NetworkError(
        `${this.file.url} should be a file of the model, but a web page came. Does the network want a sign-in? Open any site in another tab, then go on.`,
      );
    }
    const etag = response.headers.get('etag')?.replace(/^W\//, '') ?? null;
    if (etag !== null && this.#etag === null) {
      this.#etag = etag;
      await this.options.onEtag(etag);
    } else if (etag !== null && etag !== this.#etag) {
      await response.body?.cancel();
      throw new FileChangedError(
        `${this.file.url} has changed while it was downloaded (ETag ${this.#etag}, now ${etag}).`,
      );
    }
    return response;
  }

  /** Waits before the next try. @throws NetworkError when there have been enough */
  async again(failures: number, cause: unknown): Promise<void> {
    this.signal?.throwIfAborted();
    if (failures < ATTEMPTS) return this.access.pause(pauseAfter(failures), this.signal);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new NetworkError(
      `The download of ${this.file.url} broke off ${failures} times: ${why} Check the connection and go on: what is here already is kept.`,
      { cause },
    );
  }
}

/** What is wrong with the part that came; null when it is what was asked for. */
function wrongRange(response: Response, from: number, end: number, file: ChunkedFile): NetworkError | null {
  const range = response.headers.get('content-range');
  if (response.status === 200 && range === null) {
    return from === 0 && end === file.size ? null : new RangeIgnoredError('');
  }
  // Not every server lets a page read Content-Range; the length can be read always.
  if (range === null && response.headers.get('content-length') === String(end - from)) return null;
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range ?? '') ?? [];
  if (total !== undefined && total !== '*' && Number(total) !== file.size) {
    return new FileChangedError(`${file.url} should have ${file.size} bytes, but now has ${total}.`);
  }
  if (response.status === 206 && Number(first) === from && Number(last) < end) return null;
  return new NetworkError(
    `The server was asked for the bytes ${from} to ${end - 1} and answered ${response.status} with "${range}".`,
  );
}

/** From the beginning each time; chunks that are held are passed over. */
async function downloadInOnePiece(transfer: Transfer): Promise<void> {
  const { file, options } = transfer;
  const done = new Set(options.held);
  for (let failures = 0; ; ) {
    const before = done.size;
    let filled = 0;
    const spans = spansOf(file);
    let span = spans.next().value as Span | undefined;
    let bytes = span && new Uint8Array(span.end - span.start);
    const response = await transfer.open();
    try {
      for await (const piece of piecesOf(response)) {
        for (let at = 0; at < piece.byteLength; ) {
          if (!span || !bytes) throw new NetworkError(`${file.url} is longer than its ${file.size} bytes.`);
          const part = piece.subarray(at, at + bytes.byteLength - filled);
          bytes.set(part, filled);
          filled += part.byteLength;
          at += part.byteLength;
          if (!done.has(span.index)) options.onBytes(part.byteLength);
          if (filled < bytes.byteLength) continue;
          if (!done.has(span.index)) await options.keep(span.index, bytes);
          done.add(span.index);
          filled = 0;
          span = spans.next().value as Span | undefined;
          bytes = span && new Uint8Array(span.end - span.start);
        }
      }
      if (!span) return;
      throw new NetworkError(
        `The connection ended ${file.size - span.start - filled} bytes before its time.`,
      );
    } catch (cause) {
      await response.body?.cancel().catch(() => {}); // it has failed already
      // A stream that breaks off rejects with a TypeError.
      if (!(cause instanceof NetworkError || cause instanceof TypeError)) throw cause;
      if (span && !done.has(span.index)) options.onBytes(-filled);
      failures = done.size > before ? 1 : failures + 1;
      await transfer.again(failures, cause);
    }
  }
}

async function* piecesOf(response: Response): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.releaseLock();
  }
}
