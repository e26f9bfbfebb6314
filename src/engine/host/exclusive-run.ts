import { InvalidInputError } from '../../common/errors';

/** A kind of work that only one tab of the browser, and only one call in it, does at a time. */
export class ExclusiveRun {
  readonly #lock: string;
  readonly #messages: { readonly here: string; readonly otherTab: string };
  #active: string | null = null;

  constructor(lock: string, messages: { readonly here: string; readonly otherTab: string }) {
    this.#lock = lock;
    this.#messages = messages;
  }

  /** What the running work was started with. */
  get active(): string | null {
    return this.#active;
  }

  /** @throws InvalidInputError when such work is under way, here or in another tab */
  async run<T>(id: string, work: () => Promise<T>): Promise<T> {
    if (this.#active !== null) throw new InvalidInputError(this.#messages.here);
    this.#active = id;
    try {
      const locks = globalThis.navigator?.locks;
      if (!locks) return await work();
      return await locks.request(this.#lock, { ifAvailable: true }, (lock) => {
        if (lock) return work();
        throw new InvalidInputError(this.#messages.otherTab);
      });
    } finally {
      this.#active = null;
    }
  }
}
