import { TorchGenerator } from '../common/random';

export type TrainingPhase = 'sft' | 'dpo';

/** One pair's turn. */
export interface PlannedPair {
  /** Index in the data. */
  readonly pair: number;
  readonly timestep: number;
  /** Of the noise that winner and loser share. */
  readonly noiseSeed: number;
  readonly dropCaption: boolean;
}

/** One step of the optimiser. */
export interface PlannedStep {
  readonly phase: TrainingPhase;
  readonly epoch: number;
  readonly pairs: readonly PlannedPair[];
}

export interface TrainingPlanOptions {
  /** Indices in the data of the pairs that are trained. */
  readonly pairs: readonly number[];
  readonly pairsPerStep: number;
  readonly sftEpochs: number;
  readonly dpoEpochs: number;
  readonly captionDropout: number;
  readonly numTrainTimesteps: number;
  readonly seed: number;
}

/** What a stream of random numbers is drawn for. */
const ORDER = 1;
const DRAWS = 2;

/**
 * Which pair is trained at which noise, as a function of the seed and the step alone: a run that goes on after a break
 * needs no generator's state to go on as if there had been none.
 */
export class TrainingPlan {
  readonly stepsPerEpoch: number;
  readonly totalSteps: number;
  readonly #options: TrainingPlanOptions;
  #order: { readonly epoch: number; readonly pairs: readonly number[] } | null = null;

  constructor(options: TrainingPlanOptions) {
    this.#options = options;
    this.stepsPerEpoch = Math.ceil(options.pairs.length / options.pairsPerStep);
    this.totalSteps = this.stepsPerEpoch * (options.sftEpochs + options.dpoEpochs);
  }

  /** @param index 0 … totalSteps − 1 */
  step(index: number): PlannedStep {
    const { pairsPerStep, sftEpochs, captionDropout, numTrainTimesteps, seed } = this.#options;
    const epoch = Math.floor(index / this.stepsPerEpoch);
    const first = (index % this.stepsPerEpoch) * pairsPerStep;
    const pairs = this.#orderOf(epoch).slice(first, first + pairsPerStep);
    return {
      phase: epoch < sftEpochs ? 'sft' : 'dpo',
      epoch,
      pairs: pairs.map((pair, i): PlannedPair => {
        const generator = new TorchGenerator(mix(seed, DRAWS, epoch, first + i));
        return {
          pair,
          timestep: generator.randint(0, numTrainTimesteps, 1)[0] ?? 0,
          noiseSeed: generator.random(),
          dropCaption: (generator.rand(1)[0] ?? 0) < captionDropout,
        };
      }),
    };
  }

  /** Turns of pairs in all steps of DPO. */
  get dpoTurns(): number {
    return this.#options.pairs.length * this.#options.dpoEpochs;
  }

  /** How many turns of DPO come before those of a step. @param index of a step of DPO */
  turnsBefore(index: number): number {
    const { pairs, pairsPerStep, sftEpochs } = this.#options;
    const epoch = Math.floor(index / this.stepsPerEpoch) - sftEpochs;
    return epoch * pairs.length + (index % this.stepsPerEpoch) * pairsPerStep;
  }

  /** The turns of a step of DPO from one of them on. @param turn 0 … dpoTurns − 1 */
  turnsFrom(turn: number): readonly PlannedPair[] {
    const { pairs, pairsPerStep, sftEpochs } = this.#options;
    const epoch = Math.floor(turn / pairs.length);
    const inEpoch = turn % pairs.length;
    const step = (sftEpochs + epoch) * this.stepsPerEpoch + Math.floor(inEpoch / pairsPerStep);
    return this.step(step).pairs.slice(inEpoch % pairsPerStep);
  }

  /** Every pair once, shuffled (Fisher and Yates). */
  #orderOf(epoch: number): readonly number[] {
    if (this.#order?.epoch === epoch) return this.#order.pairs;
    const { seed } = this.#options;
    const generator = new TorchGenerator(mix(seed, ORDER, epoch, 0));
    const pairs = [...this.#options.pairs];
    for (let i = pairs.length - 1; i > 0; i -= 1) {
      const j = generator.randint(0, i + 1, 1)[0] ?? 0;
      [pairs[i], pairs[j]] = [pairs[j] as number, pairs[i] as number];
    }
    this.#order = { epoch, pairs };
    return pairs;
  }
}

/** A 32-bit seed from several numbers: each is stirred in by the finaliser of MurmurHash3. */
function mix(...values: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const value of values) {
    hash = Math.imul(hash ^ (value >>> 0), 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return hash >>> 0;
}
