import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What goes wrong with one answer of the file server. */
export type HubFault =
  | { readonly status: number; readonly retryAfter?: string }
  /** The connection ends after so many bytes of the answer. */
  | { readonly cutAfter: number }
  /** No answer until the other side gives up. */
  | 'silence'
  | 'web-page'
  | 'ignore-range'
  | 'wrong-range'
  | 'other-etag'
  | 'other-size'
  | 'flipped-bit'
  | 'zero-tail';

export interface HubRequest {
  readonly host: 'hub' | 'files';
  readonly path: string;
  readonly range: string | undefined;
  readonly authorization: string | undefined;
}

export interface FakeRepository {
  readonly license?: string;
  readonly tags?: readonly string[];
  /** A repository that wants this token. */
  readonly token?: string;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface FakeHub {
  readonly url: string;
  readonly requests: HubRequest[];
  /** Asked for each answer; `count` is how often the file was asked for before. */
  fault: ((path: string, count: number) => HubFault | undefined) | null;
  /** Asked for each answer of the API. */
  apiFault: ((path: string, count: number) => number | 'web-page' | undefined) | null;
  /** No fault, and nothing asked for yet. */
  reset(): void;
  close(): Promise<void>;
}

export const COMMIT = 'c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00';

/** Pages of any origin may ask, and read what a download is checked by, as on Hugging Face. */
const CORS = {
  'access-control-allow-origin': '*',
  'access-control-allow-headers': 'authorization, range',
  'access-control-expose-headers': 'etag, link, content-range, retry-after',
};

/**
 * A hub as Hugging Face's is: its API, and addresses that lead to signed ones on another origin, which serve ranges and
 * are good for one request.
 */
export async function startFakeHub(repositories: ReadonlyMap<string, FakeRepository>): Promise<FakeHub> {
  const requests: HubRequest[] = [];
  const counts = new Map<string, number>();
  const count = (key: string): number => {
    const before = counts.get(key) ?? 0;
    counts.set(key, before + 1);
    return before;
  };
  const signed = new Map<string, Uint8Array>();
  const note = (host: HubRequest['host'], { url = '', headers }: IncomingMessage): void => {
    requests.push({ host, path: url, range: headers.range, authorization: headers.authorization });
  };

  const files = await listen((request, response) => {
    note('files', request);
    const url = new URL(request.url ?? '', 'http://files');
    const bytes = signed.get(url.search);
    signed.delete(url.search);
    if (!bytes) return refuse(response, 403);
    const path = url.pathname.slice(1);
    sendFile(request, response, bytes, hub.fault?.(path, count(`file ${path}`)));
  });
  const filesUrl = addressOf(files);

  const api = await listen((request, response) => {
    note('hub', request);
    const url = new URL(request.url ?? '', 'http://hub');
    const [, repo = '', what, rest = ''] =
      /^\/(?:api\/models\/)?([^/]+\/[^/]+)\/(revision|tree|resolve)\/?(.*)$/.exec(url.pathname) ?? [];
    const found = repositories.get(repo);
    const fault = hub.apiFault?.(url.pathname, count(`api ${url.pathname}`));
    if (typeof fault === 'number') return refuse(response, fault, '0');
    if (fault === 'web-page') return sendPage(response);
    if (!found || (found.token && request.headers.authorization !== `Bearer ${found.token}`)) {
      return refuse(response, 401);
    }
    if (what === 'revision') {
      const cardData = found.license ? { license: found.license } : {};
      const { tags = [] } = found;
      return sendJson(response, { _id: '1', id: repo, sha: COMMIT, private: false, cardData, tags });
    }
    if (what === 'tree') return sendJson(response, [...found.files].map(treeEntry));
    const path = decodeURIComponent(rest.slice(COMMIT.length + 1));
    const bytes = found.files.get(path);
    if (!bytes || !rest.startsWith(COMMIT)) return refuse(response, 404);
    const signature = `?signature=${requests.length}`;
    signed.set(signature, bytes);
    response.writeHead(302, { location: `${filesUrl}/${path}${signature}` }).end();
  });

  const hub: FakeHub = {
    url: addressOf(api),
    requests,
    fault: null,
    apiFault: null,
    reset() {
      hub.fault = null;
      hub.apiFault = null;
      requests.length = 0;
      counts.clear();
    },
    close: async () => {
      await Promise.all([files, api].map(closed));
    },
  };
  return hub;
}

function treeEntry([path, bytes]: [string, Uint8Array]): object {
  const entry = { type: 'file', path, size: bytes.byteLength, oid: gitOid(bytes) };
  const large = /\.(bin|safetensors)$/.test(path);
  const oid = createHash('sha256').update(bytes).digest('hex');
  return large ? { ...entry, lfs: { oid, size: bytes.byteLength, pointerSize: 130 } } : entry;
}

function gitOid(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.byteLength}\0`).update(bytes).digest('hex');
}

function sendFile(
  request: IncomingMessage,
  response: ServerResponse,
  whole: Uint8Array,
  fault: HubFault | undefined,
): void {
  if (typeof fault === 'object' && 'status' in fault) {
    refuse(response, fault.status, fault.retryAfter);
    return;
  }
  if (fault === 'silence') return;
  if (fault === 'web-page') {
    sendPage(response);
    return;
  }
  const bytes = whole.slice();
  if (fault === 'flipped-bit') bytes[bytes.byteLength >> 1]! ^= 1;
  if (fault === 'zero-tail') bytes.fill(0, bytes.byteLength - 100);
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '') ?? [];
  const partial = first !== undefined && fault !== 'ignore-range';
  const start = partial ? Number(first) : 0;
  const end = partial ? Math.min(Number(last) + 1, bytes.byteLength) : bytes.byteLength;
  const body = bytes.subarray(start, end);
  const shown = fault === 'wrong-range' ? start + 1 : start;
  const total = fault === 'other-size' ? bytes.byteLength + 5 : bytes.byteLength;
  response.writeHead(partial ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': body.byteLength,
    etag: fault === 'other-etag' ? '"other"' : `"${gitOid(whole)}"`,
    ...(partial ? { 'content-range': `bytes ${shown}-${end - 1}/${total}` } : {}),
  });
  if (typeof fault !== 'object' || !('cutAfter' in fault)) {
    response.end(body);
    return;
  }
  response.write(body.subarray(0, fault.cutAfter), () => setTimeout(() => response.destroy(), 20));
}

function sendJson(response: ServerResponse, value: unknown): void {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function sendPage(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Sign in</title>');
}

function refuse(response: ServerResponse, status: number, retryAfter?: string): void {
  response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end('no');
}

async function listen(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<Server> {
  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(CORS)) response.setHeader(name, value);
    if (request.method === 'OPTIONS') response.writeHead(204).end();
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
