/** Steps whose time tells that of those to come. */
const TIMED_STEPS = 10;

/** Tells the time left from that of the last steps. */
export class StepClock {
  readonly #count: number;
  readonly #marks: { readonly index: number; readonly seconds: number }[] = [];

  constructor(count: number) {
    this.#count = count;
  }

  /** Seconds left when `index` of all are done now; null before one has been timed. */
  remaining(index: number): number | null {
    this.#marks.push({ index, seconds: performance.now() / 1000 });
    if (this.#marks.length > TIMED_STEPS) this.#marks.shift();
    const first = this.#marks[0];
    const last = this.#marks.at(-1);
    if (!first || !last || last.index === first.index) return null;
    return ((last.seconds - first.seconds) / (last.index - first.index)) * (this.#count - index);
  }
}
