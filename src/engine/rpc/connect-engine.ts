import * as Comlink from 'comlink';
import { InvalidInputError, JobCancelledError, type StudioError } from '../../common/errors';
import type {
  EngineEvent,
  EngineMethod,
  EngineMethods,
  EngineService,
  EngineStartOptions,
  Invoke,
} from './methods';
import { unwrap } from './wire-error';

/** The page's end of one connection to an engine. */
export interface EngineConnection {
  /** Resolves when the other side answers at all. */
  hello(): Promise<{ lifeLock: string | null }>;
  start(options: EngineStartOptions, onEvent: (event: EngineEvent) => void): Promise<void>;
  readonly invoke: Invoke;
  /** Rejects every call that waits with `error`, and every later one. */
  close(error: StudioError): void;
}

let nextJobId = 1;

/** Speaks to the `serveEngine` at the other end of `endpoint`. */
export function connectEngine(endpoint: Comlink.Endpoint): EngineConnection {
  const remote = Comlink.wrap<EngineService>(endpoint);
  let closedWith: StudioError | null = null;
  let close: (error: StudioError) => void = () => {};
  const closed = new Promise<never>((_, reject) => {
    close = reject;
  });
  closed.catch(() => {}); // it rejects when no call waits, too

  const invoke: Invoke = async <M extends EngineMethod>(
    method: M,
    args: EngineMethods[M]['args'],
    options: { onProgress?: (progress: EngineMethods[M]['progress']) => void; signal?: AbortSignal } = {},
  ): Promise<EngineMethods[M]['result']> => {
    const { onProgress, signal } = options;
    if (closedWith) throw closedWith;
    if (signal?.aborted) throw new JobCancelledError('Cancelled before it began.');

    const jobId = nextJobId++;
    const listen = (progress: unknown): void => {
      if (closedWith) return;
      try {
        onProgress?.(progress as EngineMethods[M]['progress']);
      } catch (error) {
        globalThis.reportError?.(error);
      }
    };
    const abort = (): void => void remote.cancel(jobId);
    signal?.addEventListener('abort', abort);
    try {
      const answer = remote.call(method, args, jobId, onProgress ? Comlink.proxy(listen) : null);
      // Both ends are built from one source, so the value is what the table of methods says.
      return unwrap(await Promise.race([answer, closed])) as EngineMethods[M]['result'];
    } catch (error) {
      if (!(error instanceof DOMException && error.name === 'DataCloneError')) throw error;
      throw new InvalidInputError(
        `The arguments of ${method} hold something that cannot be sent to the engine's worker (${error.message}). Give plain values, typed arrays, Blobs and Files.`,
        { cause: error },
      );
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  };

  return {
    hello: () => Promise.race([remote.hello(), closed]),
    start: async (options, onEvent) =>
      unwrap(await Promise.race([remote.start(options, Comlink.proxy(onEvent)), closed])),
    invoke,
    close(error) {
      closedWith = error;
      close(error);
    },
  };
}
