import { DeviceLostError, JobCancelledError, type StudioError, WorkerDiedError } from '../../common/errors';
import type {
  BackendChoice,
  EngineStatus,
  JobOptions,
  LoadProgress,
  ModelFile,
  ModelSummary,
} from '../protocol';
import { type EngineMethod, type EngineMethods, engineFrom, type Invoke } from '../rpc/methods';
import { asStudioError } from '../rpc/wire-error';
import type { EngineClient, EngineClientOptions } from './engine-client';
import { FailureWindow } from './failure-window';
import { WorkerSession } from './worker-session';

const MINUTE_MS = 60_000;

/**
 * Starts the engine's worker and returns the page's side of it, at once: calls wait until the worker is ready.
 * @see EngineClient
 */
export function createEngineClient(options: EngineClientOptions = {}): EngineClient {
  const createWorker =
    options.createWorker ??
    (() =>
      new Worker(new URL('../../../workers/engine.worker.ts', import.meta.url), {
        type: 'module',
        name: 'tango-studio-engine',
      }));
  const modelsUrl = options.modelsUrl ?? new URL('models/', document.baseURI).href;
  const listeners = new Set<(status: EngineStatus) => void>();
  const deaths = new FailureWindow(3, MINUTE_MS);
  // After a second loss within minutes browsers give no adapter until the page is loaded again.
  const deviceLosses = new FailureWindow(2, 5 * MINUTE_MS);

  // What a new worker needs to go on where the old one was.
  let backend: BackendChoice = options.backend ?? 'auto';
  let modelId: string | null = null;

  let status: EngineStatus = { state: 'starting' };
  let session: WorkerSession;
  let ready: Promise<void>;
  let disposed = false;

  function setStatus(next: EngineStatus): void {
    status = next;
    for (const listener of [...listeners]) listener(next);
  }

  function fail(error: StudioError): void {
    ready = Promise.reject(error);
    ready.catch(() => {});
    setStatus({ state: 'failed', code: error.code, message: error.message });
  }

  function start(next: EngineStatus): void {
    setStatus(next);
    const current = new WorkerSession(createWorker(), (death) => {
      if (deaths.add(Date.now())) {
        const message = `The engine stopped ${deaths.limit} times within a minute, so it is not started again. Reload the page; if it stops again, close other tabs to free memory or choose the other backend.`;
        fail(new WorkerDiedError(message, { cause: death }));
      } else {
        start({ state: 'restarting', reason: death.message });
      }
    });
    session = current;
    ready = current
      .start({ backend, modelsUrl, modelId }, (event) => onDeviceLost(current, event.message))
      .then(() => {
        if (session === current) setStatus({ state: 'ready' });
      });
    ready.catch((error: unknown) => {
      // A worker that died has been replaced already; one that answered with an error will answer the same again.
      if (session === current && status.state !== 'failed') fail(asStudioError(error));
    });
  }

  function onDeviceLost(lost: WorkerSession, message: string): void {
    // A fresh worker is the surest rebuild: nothing of the lost device, nor of the job it ran, is left over.
    const again = deviceLosses.add(Date.now());
    const error = new DeviceLostError(
      again
        ? `The GPU was lost again (${message}). Reload the page to get it back, or choose WebAssembly to go on without it.`
        : `The GPU was lost (${message}). Run the job again: the engine has been started anew.`,
    );
    lost.end(error);
    if (again) fail(error);
    else start({ state: 'restarting', reason: error.message });
  }

  function restart(): Promise<void> {
    if (disposed) return Promise.reject(disposedError());
    deaths.clear();
    session.end(new WorkerDiedError('The engine was restarted while the job ran. Run the job again.'));
    start({ state: 'starting' });
    return ready;
  }

  const invoke: Invoke = async <M extends EngineMethod>(
    method: M,
    args: EngineMethods[M]['args'],
    jobOptions: Parameters<typeof session.connection.invoke<M>>[2],
  ): Promise<EngineMethods[M]['result']> => {
    if (disposed) throw disposedError();
    await untilAborted(ready, jobOptions?.signal);
    return session.connection.invoke(method, args, jobOptions);
  };

  const engine = engineFrom(invoke);

  /** A worker that is started anew has to know the model that was in use. */
  async function load(id: string, jobOptions?: JobOptions<LoadProgress>): Promise<ModelSummary> {
    const summary = await engine.models.load(id, jobOptions);
    modelId = summary.id;
    return summary;
  }

  start({ state: 'starting' });

  return {
    ...engine,
    models: {
      ...engine.models,
      importFiles: (files, jobOptions) => engine.models.importFiles(files.map(toModelFile), jobOptions),
      load,
      use: load,
    },
    preferences: {
      ...engine.preferences,
      importFiles: (files, jobOptions) => engine.preferences.importFiles(files.map(toModelFile), jobOptions),
    },
    clap: {
      ...engine.clap,
      importFiles: (files, jobOptions) => engine.clap.importFiles(files.map(toModelFile), jobOptions),
    },
    panns: {
      ...engine.panns,
      importFiles: (files, jobOptions) => engine.panns.importFiles(files.map(toModelFile), jobOptions),
    },
    sentenceEmbeddings: {
      ...engine.sentenceEmbeddings,
      importFiles: (files, jobOptions) =>
        engine.sentenceEmbeddings.importFiles(files.map(toModelFile), jobOptions),
    },
    async generate(request, jobOptions) {
      const sounds = await engine.generate(request, jobOptions);
      modelId = request.modelId ?? modelId;
      return sounds;
    },
    async setBackend(choice) {
      if (status.state === 'failed' && !disposed) {
        // Nothing runs that could be asked to move: start on the other backend instead.
        const before = backend;
        backend = choice;
        await restart().catch((error: unknown) => {
          backend = before;
          throw error;
        });
        return engine.info();
      }
      const info = await engine.setBackend(choice);
      backend = choice;
      return info;
    },
    get status() {
      return status;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    restart,
    dispose() {
      disposed = true;
      listeners.clear();
      session.end(disposedError());
    },
  };
}

function disposedError(): JobCancelledError {
  return new JobCancelledError('The engine was closed.');
}

function toModelFile(file: File | ModelFile): ModelFile {
  return file instanceof File ? { path: file.webkitRelativePath || file.name, blob: file } : file;
}

/** `promise`, unless the signal aborts first. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(new JobCancelledError('Cancelled before it began.'));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
