import { NetworkError, WeightsFormatError } from '../../common/errors';
import { folderFromFiles, type ModelFolder } from '../../weights';
import type { JobOptions, LoadProgress } from '../protocol';
import { sha256 } from './fingerprint';

/** A line of a bundled model's files.json. */
interface ListedFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

/** Requests under way at once: browsers take six an origin over HTTP/1.1, and the page wants one too. */
const PARALLEL_REQUESTS = 4;
/** What a model is read from; pictures and samples of its card stay where they are. */
const READ_FILES = /\.(json|safetensors|txt|model|md)$/;

/**
 * Fetches a model that is served beside the studio: `files.json` lists its files with size and SHA-256. The browser's
 * HTTP cache keeps them. Every file is checked; one that an old cache gave is asked for once more, past the cache.
 *
 * @param url absolute address of the folder, with a slash at its end
 * @throws NetworkError when the server does not answer or has no such file, WeightsFormatError when what came is not
 *   the file that is listed
 */
export async function fetchBundledModel(
  url: string,
  { onProgress, signal }: JobOptions<LoadProgress> = {},
): Promise<{ readonly folder: ModelFolder; readonly name: string | null }> {
  const { name, files: all } = parseList(await fetchList(url, signal));
  const listed = all.filter(({ path }) => READ_FILES.test(path));
  const totalBytes = listed.reduce((sum, { size }) => sum + size, 0);
  let loadedBytes = 0;
  const waiting = [...listed];
  const files: { path: string; blob: Blob }[] = [];
  const fetchNext = async (): Promise<void> => {
    for (let file = waiting.shift(); file; file = waiting.shift()) {
      files.push({ path: file.path, blob: await fetchFile(url, file, signal) });
      loadedBytes += file.size;
      onProgress?.({ loadedBytes, totalBytes, label: `Fetching ${file.path}` });
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_REQUESTS }, fetchNext));
  return { folder: folderFromFiles(files), name };
}

async function fetchList(url: string, signal: AbortSignal | undefined): Promise<unknown> {
  const response = await request(`${url}files.json`, 'no-cache', signal);
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WeightsFormatError(
      `${url}files.json should list the model's files as JSON, but ${whatCame(response, text)} came. The studio's files on this server are incomplete: build it again (npm start), or import a model.`,
      { cause },
    );
  }
}

/** `{ name, files: [{ path, size, sha256 }, …] }`, or the list alone. */
function parseList(json: unknown): { name: string | null; files: readonly ListedFile[] } {
  const { name, files }: { name?: unknown; files?: unknown } =
    typeof json === 'object' && json !== null && !Array.isArray(json) ? json : { files: json };
  if (Array.isArray(files) && files.length > 0 && files.every(isListedFile)) {
    return { name: typeof name === 'string' ? name : null, files };
  }
  throw new WeightsFormatError(
    'The list of the bundled model (files.json) should hold { path, size, sha256 } for each file, and does not. Build the studio again (npm start), or import a model.',
  );
}

function isListedFile(value: unknown): value is ListedFile {
  if (typeof value !== 'object' || value === null) return false;
  const { path, size, sha256: hash } = value as Partial<Record<keyof ListedFile, unknown>>;
  return typeof path === 'string' && Number.isSafeInteger(size) && typeof hash === 'string';
}

async function fetchFile(url: string, file: ListedFile, signal: AbortSignal | undefined): Promise<Blob> {
  const cached = await checkedBlob(url, file, await request(url + file.path, 'default', signal));
  if (cached instanceof Blob) return cached;
  const fresh = await checkedBlob(url, file, await request(url + file.path, 'reload', signal));
  if (fresh instanceof Blob) return fresh;
  throw fresh;
}

async function checkedBlob(
  url: string,
  file: ListedFile,
  response: Response,
): Promise<Blob | WeightsFormatError> {
  let blob: Blob;
  try {
    blob = await response.blob();
  } catch (cause) {
    throw new NetworkError(
      `The download of ${url}${file.path} broke off. Check the connection and try again.`,
      { cause },
    );
  }
  const text = /html/.test(response.headers.get('content-type') ?? '')
    ? await blob.slice(0, 200).text()
    : null;
  if (text === null && blob.size === file.size) {
    // Without WebCrypto (plain http) the size has to do.
    if (!globalThis.crypto?.subtle || (await sha256(await blob.arrayBuffer())) === file.sha256) return blob;
  }
  const came =
    text !== null
      ? whatCame(response, text)
      : blob.size === file.size
        ? 'other bytes (its SHA-256 differs)'
        : `${blob.size} bytes`;
  return new WeightsFormatError(
    `${url}${file.path} should be ${file.size} bytes of the bundled model, but ${came} came. Reload the page; if that does not help, the studio's files on this server are incomplete.`,
  );
}

async function request(
  address: string,
  cache: RequestCache,
  signal: AbortSignal | undefined,
): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(address, { cache, ...(signal ? { signal } : {}) });
  } catch (cause) {
    signal?.throwIfAborted();
    throw new NetworkError(
      `${address} could not be fetched. Check the connection and that the studio's server still runs, then try again.`,
      { cause },
    );
  }
  if (response.ok) return response;
  throw new NetworkError(
    `${address} could not be fetched: the server answered ${response.status} ${response.statusText}. The studio's files on this server are incomplete: build it again (npm start), or import a model.`,
  );
}

function whatCame(response: Response, text: string): string {
  const type = response.headers.get('content-type') ?? 'something of no type';
  return /^\s*</.test(text) ? `a web page (${type})` : `${type} beginning with "${text.slice(0, 40)}"`;
}
