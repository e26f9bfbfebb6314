import * as tf from '@tensorflow/tfjs-core';
import { required } from '../common/assert';
import { InternalError, NonFiniteError } from '../common/errors';
import type { UNet2DConditionModel } from '../models/unet-2d-condition';
import { diffusionDpoLoss, knownErrors, rewardMargins } from './diffusion-dpo-loss';
import type { ForwardProcess } from './forward-process';
import { type Split, splitByPrompt, validationDraws } from './held-out';
import { AdamW } from './optimizer/adamw';
import { clipFactor, GradientSum, globalNorm } from './optimizer/gradients';
import { linearSchedule } from './optimizer/linear-schedule';
import { WeightAverage } from './optimizer/weight-average';
import { disposeBatch, type PairBatch, pairBatch } from './pair-batch';
import { recomputedGradients } from './recompute';
import { type KnownPairErrors, ReferenceErrors } from './reference-errors';
import './register-gradients';
import { sampleErrors, sftLoss } from './sft-loss';
import { tapeGradients } from './tape-gradients';
import { type TrainedPart, withPart } from './trained-part';
import { checkTrainingData, type TrainingData } from './training-data';
import { type PlannedPair, type TrainingPhase, TrainingPlan } from './training-plan';
import { checkTrainingRecipe, type TrainingRecipe } from './training-recipe';

/** One pair at one noise level. */
export interface PairErrors {
  /** Index in the data. */
  readonly pair: number;
  readonly timestep: number;
  readonly mseWinner: number;
  readonly mseLoser: number | null;
  readonly refMseWinner: number | null;
  readonly refMseLoser: number | null;
  /** The argument of the sigmoid. */
  readonly margin: number | null;
}

/** What one step says of itself. Errors and margins are means over its pairs; DPO's are null in a supervised step. */
export interface StepMetrics {
  /** 1 for the first. */
  readonly step: number;
  readonly epoch: number;
  readonly phase: TrainingPhase;
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly mseWinner: number;
  readonly mseLoser: number | null;
  readonly refMseWinner: number | null;
  readonly refMseLoser: number | null;
  /** Share of the pairs whose margin is positive; one of zero counts half. */
  readonly implicitAccuracy: number | null;
  /** The argument of the sigmoid. */
  readonly margin: number | null;
  /** Each of its pairs. */
  readonly pairs: readonly PairErrors[];
}

/** What a model that is trained does with pairs it was not trained on: means over them. */
export interface ValidationMetrics {
  /** Steps that were done. */
  readonly step: number;
  readonly loss: number;
  readonly implicitAccuracy: number;
  readonly margin: number;
  readonly mseWinner: number;
  readonly mseLoser: number;
}

/** All that a run's future depends on, beside its data and recipe. */
export interface TrainerState {
  readonly completedSteps: number;
  /** `weight.<name>`, `first.<name>`, `second.<name>`, `average.<name>`, as on the backend. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** One pass: its pairs, forward and backward. */
interface PassResult {
  readonly loss: number;
  readonly gradients: readonly tf.Tensor[];
  readonly pairs: readonly PairErrors[];
}

/**
 * Fine-tunes an adapter, or the whole UNet, on preference pairs: supervised epochs on the winners, then diffusion-DPO against the base
 * model, as section 4.2 and 5.1 of the Tango 2 paper. One call of `step` is one step of the optimiser; between two
 * calls the model is as its checkpoint has it and may be used for anything else.
 *
 * Beside an adapter the base model is the reference. Where every weight is trained the reference's errors are measured
 * before the first step (`measureReferences`), and no step needs the base.
 */
export class PreferenceTrainer {
  readonly plan: TrainingPlan;
  /** Which pairs are trained, and which are kept for `validate`. */
  readonly split: Split;
  readonly #optimizer: AdamW;
  /** Null: the reference is the model without what is trained. */
  readonly references: ReferenceErrors | null;
  readonly #validation: readonly PlannedPair[];
  readonly #average: WeightAverage | null;
  #completedSteps = 0;

  /** @throws InvalidInputError when recipe or data cannot be trained with */
  constructor(
    readonly recipe: TrainingRecipe,
    readonly data: TrainingData,
    readonly part: TrainedPart,
    readonly process: ForwardProcess,
  ) {
    checkTrainingRecipe(recipe);
    checkTrainingData(data);
    this.split = splitByPrompt(
      data.pairs.map(({ prompt }) => prompt),
      recipe.heldOutShare,
      recipe.seed,
    );
    this.#optimizer = new AdamW({ weightDecay: recipe.weightDecay });
    this.#average = recipe.emaDecay > 0 ? new WeightAverage(recipe.emaDecay) : null;
    this.plan = new TrainingPlan({
      ...recipe,
      pairs: this.split.training,
      numTrainTimesteps: process.numTrainTimesteps,
    });
    this.#validation = validationDraws(this.split.heldOut, process.numTrainTimesteps, recipe.seed);
    this.references =
      recipe.trains === 'unet' ? new ReferenceErrors(this.#validation.length + this.plan.dpoTurns) : null;
  }

  /**
   * The reference's errors of one more pass, by the weights that are trained: call it before the first step and before
   * `restore`, until all are done.
   * @throws NonFiniteError naming the pair
   */
  async measureReferences(unet: UNet2DConditionModel): Promise<void> {
    const references = required(this.references, 'a run that keeps errors of its reference');
    if (this.#completedSteps > 0)
      throw new InternalError('The trained weights are not the reference any more.');
    const turn = references.done - this.#validation.length;
    const turns = turn < 0 ? this.#validation.slice(references.done) : this.plan.turnsFrom(turn);
    const pairs = turns.slice(0, this.recipe.pairsPerPass);
    const batch = pairBatch(this.data, this.process, pairs, ['winner', 'loser']);
    try {
      const known = tf.tidy(() => {
        const prediction = withPart(this.part, unet, () => predict(unet, batch));
        const [winner, loser] = halvesOf(prediction, batch.target).map((half) =>
          knownErrors(half.prediction, half.target),
        );
        return { winner: required(winner, 'a half'), loser: required(loser, 'a half') };
      });
      const sum = await references.add(known);
      this.#checkFinite(sum, pairs, 'before');
    } finally {
      disposeBatch(batch);
    }
  }

  get completedSteps(): number {
    return this.#completedSteps;
  }

  get done(): boolean {
    return this.#completedSteps >= this.plan.totalSteps;
  }

  /**
   * The next step.
   * @param unet the frozen base; what is trained hangs in it during the call's synchronous parts only
   * @throws NonFiniteError naming the pair; weights and moments are those before the step
   */
  async step(unet: UNet2DConditionModel): Promise<StepMetrics> {
    const { phase, epoch, pairs } = this.plan.step(this.#completedSteps);
    const { pairsPerPass, learningRate, warmupSteps, maxGradNorm } = this.recipe;
    const sum = new GradientSum();
    try {
      let loss = 0;
      const errors: PairErrors[] = [];
      for (let first = 0; first < pairs.length; first += pairsPerPass) {
        const part = pairs.slice(first, first + pairsPerPass);
        const turn = this.#validation.length + this.plan.turnsBefore(this.#completedSteps) + first;
        const known = phase === 'dpo' ? this.#known(turn, part.length) : null;
        const pass = await this.#pass(unet, phase, part, known);
        sum.add(pass.gradients, part.length / pairs.length);
        loss += (pass.loss * part.length) / pairs.length;
        errors.push(...pass.pairs);
        this.#checkFinite(pass.loss, part);
      }
      const norm = globalNorm(sum.gradients);
      const gradNorm = (await norm.data())[0] ?? Number.NaN;
      norm.dispose();
      this.#checkFinite(gradNorm, pairs);
      sum.scale(clipFactor(gradNorm, maxGradNorm));
      const rate = learningRate * linearSchedule(this.#completedSteps, warmupSteps, this.plan.totalSteps);
      this.#optimizer.step(this.part.weights, sum.take(), rate);
      this.#average?.update(this.part.weights, this.#completedSteps);
      this.#completedSteps += 1;
      const preference = phase === 'dpo';
      const mean = (field: ErrorField): number => meanOf(errors, field);
      return {
        step: this.#completedSteps,
        epoch,
        phase,
        loss,
        learningRate: rate,
        gradNorm,
        mseWinner: mean('mseWinner'),
        mseLoser: preference ? mean('mseLoser') : null,
        refMseWinner: preference ? mean('refMseWinner') : null,
        refMseLoser: preference ? mean('refMseLoser') : null,
        implicitAccuracy: preference ? accuracyOf(errors) : null,
        margin: preference ? mean('margin') : null,
        pairs: errors,
      };
    } finally {
      sum.dispose();
    }
  }

  /** Held-out pairs at fixed noise levels and noises; null where none are held out. */
  async validate(unet: UNet2DConditionModel): Promise<ValidationMetrics | null> {
    if (this.#validation.length === 0) return null;
    const errors = await this.#measured(unet, this.#validation, (first, count) => this.#known(first, count));
    const losses = errors.map(({ margin }) => Math.log1p(Math.exp(-(margin ?? 0))));
    return {
      step: this.#completedSteps,
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      implicitAccuracy: accuracyOf(errors),
      margin: meanOf(errors, 'margin'),
      mseWinner: meanOf(errors, 'mseWinner'),
      mseLoser: meanOf(errors, 'mseLoser'),
    };
  }

  /**
   * Errors and margins without a step: of the averaged weights, where an average is kept. The reference is the model
   * without what is trained, which has to be there.
   */
  measure(
    unet: UNet2DConditionModel,
    draws: readonly PlannedPair[],
    signal?: AbortSignal,
  ): Promise<readonly PairErrors[]> {
    return this.#measured(unet, draws, () => null, signal);
  }

  /** @param known the reference's errors of some of the draws; null: the model is asked */
  async #measured(
    unet: UNet2DConditionModel,
    draws: readonly PlannedPair[],
    known: (first: number, count: number) => KnownPairErrors | null,
    signal?: AbortSignal,
  ): Promise<readonly PairErrors[]> {
    const errors: PairErrors[] = [];
    const restore = this.#average?.exchange(this.part.weights);
    try {
      for (let first = 0; first < draws.length; first += this.recipe.pairsPerPass) {
        signal?.throwIfAborted();
        const pairs = draws.slice(first, first + this.recipe.pairsPerPass);
        errors.push(...(await this.#measurePass(unet, pairs, known(first, pairs.length))));
      }
      return errors;
    } finally {
      restore?.();
    }
  }

  /** What is kept of the reference for some turns, validation's first; null where the model itself is the reference. */
  #known(first: number, count: number): KnownPairErrors | null {
    if (!this.references) return null;
    if (this.references.done < this.references.count) {
      throw new InternalError('A step came before measureReferences was done.');
    }
    return this.references.of(first, count);
  }

  /** Runs `body` with the weights that a finished run is used with: the averaged ones, where an average is kept. */
  async withFinalWeights<T>(body: () => Promise<T>): Promise<T> {
    const restore = this.#average?.exchange(this.part.weights);
    try {
      return await body();
    } finally {
      restore?.();
    }
  }

  async snapshot(): Promise<TrainerState> {
    const values = new Map(await this.#optimizer.snapshot());
    for (const weight of this.part.weights) values.set(`weight.${weight.name}`, await weight.read());
    for (const [name, value] of (await this.#average?.snapshot()) ?? []) values.set(`average.${name}`, value);
    return { completedSteps: this.#completedSteps, values };
  }

  /** Goes on from a snapshot of the same run: what follows is what would have followed. */
  restore({ completedSteps, values }: TrainerState): void {
    const { weights } = this.part;
    for (const weight of weights) {
      const kept = required(values.get(`weight.${weight.name}`), `the checkpoint's ${weight.name}`);
      weight.write(Float32Array.from(kept));
    }
    this.#optimizer.restore(weights, values, completedSteps);
    if (completedSteps > 0) this.#average?.restore(weights, values);
    this.#completedSteps = completedSteps;
  }

  /** Frees the moments; what is trained stays the caller's. */
  dispose(): void {
    this.#optimizer.dispose();
    this.#average?.dispose();
  }

  async #pass(
    unet: UNet2DConditionModel,
    phase: TrainingPhase,
    pairs: readonly PlannedPair[],
    known: KnownPairErrors | null,
  ): Promise<PassResult> {
    const preference = phase === 'dpo';
    const batch = pairBatch(this.data, this.process, pairs, preference ? ['winner', 'loser'] : ['winner']);
    const kept: tf.Tensor[] = [];
    const keep = <T extends tf.Tensor>(tensor: T): T => {
      kept.push(tf.keep(tensor));
      return tensor;
    };
    try {
      const reference = preference ? (known ?? keep(predict(unet, batch))) : null;
      let errors: tf.Tensor1D | null = null;
      let margins: tf.Tensor1D | null = null;
      const loss = (prediction: tf.Tensor4D): tf.Scalar => {
        errors = keep(sampleErrors(prediction, batch.target));
        if (!reference) return sftLoss(errors);
        margins = keep(marginsOf(prediction, reference, batch, this.recipe.beta));
        return diffusionDpoLoss(margins);
      };
      const { value, grads } = this.#gradients(unet, batch, loss);
      keep(value);
      try {
        return {
          loss: (await value.data())[0] ?? Number.NaN,
          gradients: grads,
          pairs: await pairErrors(pairs, {
            errors: required(errors as tf.Tensor | null, 'the errors'),
            margins,
            references: reference ? keep(meansOf(reference, batch)) : null,
          }),
        };
      } catch (error) {
        tf.dispose([...grads]);
        throw error;
      }
    } finally {
      disposeBatch(batch);
      tf.dispose([kept, known ?? []]);
    }
  }

  #gradients(
    unet: UNet2DConditionModel,
    batch: PairBatch,
    loss: (prediction: tf.Tensor4D) => tf.Scalar,
  ): { readonly value: tf.Tensor; readonly grads: readonly tf.Tensor[] } {
    const { weights } = this.part;
    return withPart(this.part, unet, () =>
      this.recipe.recompute
        ? recomputedGradients(unet, batch, weights, loss)
        : tapeGradients(
            () => loss(predict(unet, batch)),
            weights.map(({ tensor }) => tensor),
          ),
    );
  }

  async #measurePass(
    unet: UNet2DConditionModel,
    pairs: readonly PlannedPair[],
    known: KnownPairErrors | null,
  ): Promise<readonly PairErrors[]> {
    const batch = pairBatch(this.data, this.process, pairs, ['winner', 'loser']);
    const measured = tf.tidy(() => {
      const reference = known ?? predict(unet, batch);
      const prediction = withPart(this.part, unet, () => predict(unet, batch));
      return {
        errors: sampleErrors(prediction, batch.target),
        margins: marginsOf(prediction, reference, batch, this.recipe.beta),
        references: meansOf(reference, batch),
      };
    });
    try {
      return await pairErrors(pairs, measured);
    } finally {
      disposeBatch(batch);
      tf.dispose(known ?? []);
      tf.dispose([measured.errors, measured.margins, measured.references]);
    }
  }

  #checkFinite(value: number, pairs: readonly PlannedPair[], when: 'at' | 'before' = 'at'): void {
    if (Number.isFinite(value)) return;
    const ids = pairs.map(({ pair }) => `"${this.data.pairs[pair]?.id}"`).join(', ');
    throw new NonFiniteError(
      `Training stopped ${when} step ${this.#completedSteps + 1}: the pair ${ids} gave NaN or infinity. Listen to it, lower the learning rate, or leave it out; the run stands at its last checkpoint.`,
    );
  }
}

/** @returns [B, H, W, C] */
function predict(unet: UNet2DConditionModel, { noisy, timesteps, states, mask }: PairBatch): tf.Tensor4D {
  return tf.tidy(() => unet.forward(noisy, timesteps, unet.prepareEncoderStates(states, mask)));
}

/** @param prediction [2B, …] of winners then losers, as the others @returns [B] */
function marginsOf(
  prediction: tf.Tensor4D,
  reference: tf.Tensor4D | KnownPairErrors,
  { target }: PairBatch,
  beta: number,
): tf.Tensor1D {
  const [winner, loser] = halvesOf(prediction, target);
  const [ofWinner, ofLoser] =
    reference instanceof tf.Tensor ? tf.split(reference, 2) : [reference.winner, reference.loser];
  return rewardMargins(
    { ...winner, reference: required(ofWinner, 'a half') },
    { ...loser, reference: required(ofLoser, 'a half') },
    beta,
  );
}

/** Winners and losers. @param prediction [2B, …], as the target */
function halvesOf(prediction: tf.Tensor4D, target: tf.Tensor4D): readonly [Half, Half] {
  const [p, t] = [prediction, target].map((tensor) => tf.split(tensor, 2));
  const half = (i: number): Half => ({
    prediction: required(p?.[i], 'a half'),
    target: required(t?.[i], 'a half'),
  });
  return [half(0), half(1)];
}

type Half = Omit<Parameters<typeof rewardMargins>[0], 'reference'>;

/** The reference's error of each sample, [2B]. */
function meansOf(reference: tf.Tensor4D | KnownPairErrors, { target }: PairBatch): tf.Tensor1D {
  if (reference instanceof tf.Tensor) return sampleErrors(reference, target);
  return tf.concat1d([reference.winner.mean, reference.loser.mean]);
}

interface MeasuredTensors {
  readonly errors: tf.Tensor; // [B], in DPO [2B]
  readonly margins: tf.Tensor | null; // [B]
  readonly references: tf.Tensor | null; // [2B]
}

async function pairErrors(
  pairs: readonly PlannedPair[],
  { errors, margins, references }: MeasuredTensors,
): Promise<readonly PairErrors[]> {
  const [mse, margin, reference] = await Promise.all([errors.data(), margins?.data(), references?.data()]);
  const at = (values: ArrayLike<number> | undefined, i: number): number | null =>
    values ? (values[i] ?? Number.NaN) : null;
  const count = pairs.length;
  return pairs.map(({ pair, timestep }, i) => ({
    pair,
    timestep,
    mseWinner: mse[i] ?? Number.NaN,
    mseLoser: at(reference && mse, count + i),
    refMseWinner: at(reference, i),
    refMseLoser: at(reference, count + i),
    margin: at(margin, i),
  }));
}

type ErrorField = 'mseWinner' | 'mseLoser' | 'refMseWinner' | 'refMseLoser' | 'margin';

function meanOf(errors: readonly PairErrors[], field: ErrorField): number {
  return errors.reduce((sum, error) => sum + (error[field] ?? 0), 0) / errors.length;
}

/** A margin of zero counts half. */
function accuracyOf(errors: readonly PairErrors[]): number {
  return errors.reduce((sum, { margin }) => sum + (Math.sign(margin ?? 0) + 1) / 2, 0) / errors.length;
}
