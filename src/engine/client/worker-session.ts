import { type StudioError, WorkerDiedError } from '../../common/errors';
import { connectEngine, type EngineConnection } from '../rpc/connect-engine';
import type { EngineEvent, EngineStartOptions } from '../rpc/methods';

/** One worker's life, from its start to its end; whatever ends it is told once. */
export class WorkerSession {
  readonly connection: EngineConnection;
  readonly #worker: Worker;
  readonly #lockWait = new AbortController();
  readonly #onDeath: (error: WorkerDiedError) => void;
  #ended = false;
  #started = false;

  /** @param onDeath called when the worker ends without `end` having been called */
  constructor(worker: Worker, onDeath: (error: WorkerDiedError) => void) {
    this.#worker = worker;
    this.#onDeath = onDeath;
    this.connection = connectEngine(worker);
    worker.addEventListener('error', (event) => {
      // A worker that has started lives on after an uncaught error, and its lock tells when it does not. One that
      // has not may never answer: its script did not load or failed at once.
      if (this.#started) return;
      this.#die(
        new WorkerDiedError(
          `The engine's worker did not start${event.message ? ` (${event.message})` : ''}. Reload the page; if that does not help, the studio's files on this server are incomplete.`,
        ),
      );
    });
  }

  /** Waits for the worker's first answer, watches its lock, then has it build the engine. */
  async start(options: EngineStartOptions, onEvent: (event: EngineEvent) => void): Promise<void> {
    const { lifeLock } = await this.connection.hello();
    if (lifeLock !== null) this.#watch(lifeLock);
    await this.connection.start(options, (event) => {
      if (!this.#ended) onEvent(event);
    });
    this.#started = true;
  }

  /** Terminates the worker; calls that wait reject with `error`. */
  end(error: StudioError): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#lockWait.abort();
    this.connection.close(error);
    this.#worker.terminate();
  }

  /** The browser gives the page the worker's lock when, and only when, the worker is gone. */
  #watch(lifeLock: string): void {
    const options = { signal: this.#lockWait.signal };
    navigator.locks
      .request(lifeLock, options, () =>
        this.#die(
          new WorkerDiedError(
            'The engine stopped without an answer. Run the job again: a new engine takes it.',
          ),
        ),
      )
      .catch(() => {}); // the wait was aborted by `end`
  }

  #die(error: WorkerDiedError): void {
    if (this.#ended) return;
    this.end(error);
    this.#onDeath(error);
  }
}
