/** Stages of a take that have a cost, in order. */
export type CostedStage = 'encode-text' | 'denoise' | 'decode' | 'vocode';
const STAGES: readonly CostedStage[] = ['encode-text', 'denoise', 'decode', 'vocode'];

/** What a stage costs beside one step, until it has been measured. */
const FIRST_GUESS_STEPS: Readonly<Record<CostedStage, number>> = {
  'encode-text': 1,
  denoise: 1,
  decode: 3,
  vocode: 6,
};

/** A measurement weighs this much beside what was known before it. */
const NEW_WEIGHT = 0.5;

/**
 * Seconds that each stage takes for a second of sound, from what has been measured on this device with this model;
 * kept from one request to the next, so that the second request has an estimate from its start.
 */
export class StageSpeeds {
  readonly #secondsPerSecond = new Map<CostedStage, number>();

  add(stage: CostedStage, seconds: number, durationSeconds: number): void {
    const measured = seconds / durationSeconds;
    const before = this.#secondsPerSecond.get(stage);
    this.#secondsPerSecond.set(
      stage,
      before === undefined ? measured : before + NEW_WEIGHT * (measured - before),
    );
  }

  /** Seconds of one `stage`, or of one step; null before any step has been measured. */
  secondsOf(stage: CostedStage, durationSeconds: number): number | null {
    const step = this.#secondsPerSecond.get('denoise');
    const known = this.#secondsPerSecond.get(stage);
    if (known !== undefined) return known * durationSeconds;
    return step === undefined ? null : step * FIRST_GUESS_STEPS[stage] * durationSeconds;
  }
}

/** Follows one request through its takes and says how much is done and how long the rest will take. */
export class ProgressEstimate {
  readonly #speeds: StageSpeeds;
  readonly #durationSeconds: number;
  readonly #takeCount: number;
  readonly #now: () => number;
  #stageStart: number;
  #fraction = 0;

  /** @param now seconds on a clock that only goes forward */
  constructor(speeds: StageSpeeds, durationSeconds: number, takeCount: number, now: () => number) {
    this.#speeds = speeds;
    this.#durationSeconds = durationSeconds;
    this.#takeCount = takeCount;
    this.#now = now;
    this.#stageStart = now();
  }

  /** Notes that a stage, or one step of `denoise`, has just ended; the next one begins. */
  finished(stage: CostedStage): void {
    const now = this.#now();
    this.#speeds.add(stage, now - this.#stageStart, this.#durationSeconds);
    this.#stageStart = now;
  }

  /** Begins to measure, when time has passed that belongs to no stage. */
  begin(): void {
    this.#stageStart = this.#now();
  }

  /**
   * @param takeIndex takes that are done
   * @param stage the one that is under way
   * @param stepsDone steps of this take that are done
   */
  at(
    takeIndex: number,
    stage: CostedStage,
    stepsDone: number,
    stepCount: number,
  ): { fraction: number; remainingSeconds: number | null } {
    const cost = (name: CostedStage): number =>
      (this.#speeds.secondsOf(name, this.#durationSeconds) ?? FIRST_GUESS_STEPS[name]) *
      (name === 'denoise' ? stepCount : 1);
    const take = STAGES.reduce((sum, name) => sum + cost(name), 0);
    const before = STAGES.slice(0, STAGES.indexOf(stage)).reduce((sum, name) => sum + cost(name), 0);
    const within = stage === 'denoise' ? (stepsDone / stepCount) * cost('denoise') : 0;
    const done = takeIndex * take + before + within;
    const total = this.#takeCount * take;
    // Costs are learned on the way, which may move what is done backwards: a bar never does.
    this.#fraction = Math.max(this.#fraction, Math.min(1, done / total));
    const known = this.#speeds.secondsOf('denoise', this.#durationSeconds) !== null;
    return { fraction: this.#fraction, remainingSeconds: known ? Math.max(0, total - done) : null };
  }
}
