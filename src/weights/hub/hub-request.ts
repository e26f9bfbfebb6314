import { InvalidInputError, JobCancelledError, NetworkError } from '../../common/errors';

/**
 * Requests to a hub: what is tried again, when, and what a refusal means. Nothing of the page's own (cookies, referrer)
 * goes out, the token goes to the hub's origin only, and gigabytes do not go through the HTTP cache.
 */

/** Tries without progress before a request is given up: about half a minute. */
export const ATTEMPTS = 6;
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 5 * 60_000;

export interface HubAccess {
  /** Address of the hub without a slash at its end. */
  readonly hubUrl: string;
  readonly token?: string | undefined;
  readonly fetch: typeof fetch;
  /** Resolves after `ms`; rejects when the signal aborts. */
  readonly pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>;
}

export const DEFAULT_HUB_URL = 'https://huggingface.co';

/** @throws InvalidInputError when the address is not one of a hub */
export function hubAccess(hubUrl: string = DEFAULT_HUB_URL, token?: string): HubAccess {
  const url = URL.canParse(hubUrl) ? new URL(hubUrl) : null;
  const local = url !== null && ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  if (!url || !(url.protocol === 'https:' || (url.protocol === 'http:' && local)) || url.username !== '') {
    throw new InvalidInputError(
      `The hub's address should begin with https:// (http:// on this machine only), but "${hubUrl}" came.`,
    );
  }
  return {
    hubUrl: `${url.origin}${url.pathname.replace(/\/+$/, '')}`,
    token: token === '' ? undefined : token,
    fetch: (...args) => globalThis.fetch(...args),
    pause,
  };
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason ?? new JobCancelledError('The download was stopped.'));
    };
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Pause before try `failures` + 1. */
export function pauseAfter(failures: number, retryAfter: string | null = null): number {
  const own = FIRST_PAUSE_MS * 2 ** (failures - 1);
  if (retryAfter === null) return own;
  const seconds = /^\d+$/.test(retryAfter.trim())
    ? Number(retryAfter) * 1000
    : Date.parse(retryAfter) - Date.now();
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), LONGEST_PAUSE_MS) : own;
}

/**
 * The response to a GET, with a status below 400. A broken connection, 408, 429 and 5xx are tried again after the pause that
 * the server asks for, and so is a signed address that a redirect led to and that has expired.
 *
 * @throws NetworkError saying what the hub refused and what to do; the signal's reason
 */
export async function hubRequest(
  access: HubAccess,
  url: string,
  { range, signal }: { readonly range?: string; readonly signal?: AbortSignal | undefined } = {},
): Promise<Response> {
  for (let failures = 1; ; failures++) {
    let response: Response;
    try {
      response = await access.fetch(url, {
        headers: headersFor(access, url, range),
        cache: 'no-store',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        ...(signal ? { signal } : {}),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      if (failures >= ATTEMPTS) {
        throw new NetworkError(
          `${url} does not answer. Check the connection and go on with the download: what is here already is kept.`,
          { cause },
        );
      }
      await access.pause(pauseAfter(failures), signal);
      continue;
    }
    if (response.status < 400) return response;
    await response.body?.cancel().catch(() => {}); // a refusal's page is of no use
    if (!isPassing(response) || failures >= ATTEMPTS) throw refusal(access, url, response);
    await access.pause(pauseAfter(failures, response.headers.get('retry-after')), signal);
  }
}

function headersFor(access: HubAccess, url: string, range: string | undefined): Record<string, string> {
  const own = new URL(url).origin === new URL(access.hubUrl).origin;
  return {
    ...(range === undefined ? {} : { Range: range }),
    ...(access.token !== undefined && own ? { Authorization: `Bearer ${access.token}` } : {}),
  };
}

function isPassing({ status, redirected }: Response): boolean {
  if (status === 408 || status === 429 || status >= 500) return true;
  return redirected && (status === 400 || status === 403 || status === 410);
}

function refusal(access: HubAccess, url: string, { status, statusText }: Response): NetworkError {
  const what = `${url}: the hub answered ${status} ${statusText}`.trim();
  if (status === 401 || status === 403) {
    return new NetworkError(
      access.token === undefined
        ? `${what}. The repository does not exist, is private, or wants its terms accepted: check the name, or give an access token of an account that may read it.`
        : `${what}. The token may not read this repository: accept its terms on the hub's page, or give another token.`,
    );
  }
  if (status === 404) return new NetworkError(`${what}. Check the repository's name and the revision.`);
  if (status === 429) return new NetworkError(`${what}: too many requests. Wait some minutes, then go on.`);
  return new NetworkError(`${what}. Go on with the download later: what is here already is kept.`);
}
