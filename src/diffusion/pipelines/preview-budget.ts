/** Previews may take this share of the time since the job began, after the first one. */
const SHARE = 0.15;
/** A slow machine shows its first preview after one step, a fast one waits for a second: there is more to see. */
const SLOW_STEP_SECONDS = 0.5;

/**
 * Decides after which steps a preview is worth its time: early once, so that a person sees that something happens, and
 * then only as often as it hardly slows the job.
 */
export class PreviewBudget {
  readonly #now: () => number;
  readonly #start: number;
  #spent = 0;
  #last: number | null = null;

  /** @param now seconds on a clock that only goes forward */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
    this.#start = now();
  }

  /** @param stepIndex of the step that has just ended; the last step has none: its mel follows anyway */
  isDue(stepIndex: number, stepCount: number): boolean {
    if (stepIndex >= stepCount - 1) return false;
    const elapsed = this.#now() - this.#start;
    if (this.#last === null) return stepIndex >= 1 || elapsed > SLOW_STEP_SECONDS;
    return this.#spent + this.#last <= SHARE * elapsed;
  }

  /** Runs the preview and takes its time from the budget. */
  async spend(preview: () => Promise<void>): Promise<void> {
    const before = this.#now();
    await preview();
    this.#last = this.#now() - before;
    this.#spent += this.#last;
  }
}
