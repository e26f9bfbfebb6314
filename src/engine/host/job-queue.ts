import { JobCancelledError } from '../../common/errors';

interface Waiting {
  readonly start: () => void;
}

/** One job at a time, in the order in which they came. */
export class JobQueue {
  #busy = false;
  readonly #waiting: Waiting[] = [];

  /** True when a new job would have to wait. */
  get busy(): boolean {
    return this.#busy;
  }

  /**
   * Runs `job` when its turn comes.
   * @throws JobCancelledError when the signal aborts before that; a running job looks after the signal itself.
   */
  async run<T>(job: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    await this.#turn(signal);
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next.start();
      else this.#busy = false;
    }
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    if (signal?.aborted) return Promise.reject(cancelledWhileQueued());
    if (!this.#busy) {
      this.#busy = true;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(cancelledWhileQueued());
      };
      const waiting: Waiting = {
        start: () => {
          signal?.removeEventListener('abort', leave);
          resolve();
        },
      };
      this.#waiting.push(waiting);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }
}

function cancelledWhileQueued(): JobCancelledError {
  return new JobCancelledError('The job was cancelled before its turn came.');
}
