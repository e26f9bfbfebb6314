/** Counts failures of the last `windowMs`: one is bad luck, `limit` of them mean that trying again does not help. */
export class FailureWindow {
  readonly limit: number;
  readonly windowMs: number;
  #times: number[] = [];

  constructor(limit: number, windowMs: number) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  /** Adds a failure at `now` (milliseconds); true when there have been `limit` of them within the window. */
  add(now: number): boolean {
    this.#times = [...this.#times.filter((time) => now - time < this.windowMs), now];
    return this.#times.length >= this.limit;
  }

  clear(): void {
    this.#times = [];
  }
}
