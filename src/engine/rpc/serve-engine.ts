import * as Comlink from 'comlink';
import { InternalError, JobCancelledError } from '../../common/errors';
import type { StudioEngine } from '../protocol';
import {
  type EngineEvent,
  type EngineMethod,
  type EngineService,
  type EngineStartOptions,
  handlersOf,
} from './methods';
import { transferablesOf } from './transferables';
import { settle, type WireResult } from './wire-error';

type CreateEngine = (
  options: EngineStartOptions,
  onEvent: (event: EngineEvent) => void,
) => Promise<StudioEngine>;
type UntypedHandler = (
  args: readonly unknown[],
  options: { signal: AbortSignal; onProgress?: (progress: unknown) => void },
) => Promise<unknown>;

/** A function of the other side, as Comlink hands it over: it answers by a promise, and holds a port until released. */
type RemoteCallback<T> = ((value: T) => Promise<void>) & { [Comlink.releaseProxy]?: () => void };

/**
 * Answers the page's calls with the engine that `createEngine` builds. Runs in the worker.
 *
 * @param lifeLock name of a Web Lock to hold while this context lives; its release tells the page that it died.
 */
export function serveEngine(
  createEngine: CreateEngine,
  endpoint: Comlink.Endpoint,
  lifeLock: string | null,
): void {
  const controllers = new Map<number, AbortController>();
  let engine: Promise<StudioEngine> | null = null;

  const service: EngineService = {
    async hello() {
      if (lifeLock === null) return { lifeLock };
      await new Promise<void>((held) => {
        void navigator.locks.request(lifeLock, () => {
          held();
          return new Promise<never>(() => {}); // held until the worker ends
        });
      });
      return { lifeLock };
    },

    start(options, onEvent) {
      const notify: RemoteCallback<EngineEvent> = onEvent as RemoteCallback<EngineEvent>;
      engine = createEngine(options, (event) => void notify(event).catch(() => {}));
      const starting = engine;
      return settle(async () => {
        await starting;
      });
    },

    async call(method, args, jobId, onProgress) {
      const controller = new AbortController();
      controllers.set(jobId, controller);
      const remote = onProgress as RemoteCallback<unknown> | null;
      let lastAnswer: Promise<void> | undefined;
      const result: WireResult<unknown> = await settle(async () => {
        if (!engine) throw new InternalError('The engine was called before it was started.');
        const handler = handlersOf(await engine)[method as EngineMethod] as UntypedHandler | undefined;
        if (!handler) throw new InternalError(`The engine has no method called "${method}".`);
        if (controller.signal.aborted) throw new JobCancelledError('Cancelled before it began.');
        const report = (progress: unknown): void => {
          // A page that fails in its own callback is told so on its side; the job goes on.
          lastAnswer = remote?.(progress).catch(() => {});
        };
        return handler(args, {
          signal: controller.signal,
          ...(remote ? { onProgress: report } : {}),
        });
      });
      controllers.delete(jobId);
      // Progress travels on a port of its own: the result waits until the page has taken the last of it, so that a
      // page never hears progress of a job that has ended.
      await lastAnswer;
      remote?.[Comlink.releaseProxy]?.();
      return Comlink.transfer(result, transferablesOf(result));
    },

    cancel(jobId) {
      controllers.get(jobId)?.abort(new JobCancelledError('The job was cancelled.'));
    },
  };
  Comlink.expose(service, endpoint);
}
