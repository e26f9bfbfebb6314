import * as tf from '@tensorflow/tfjs-core';
import { required } from '../common/assert';
import { InvalidInputError, NonFiniteError } from '../common/errors';
import { TorchGenerator } from '../common/random';
import { nchwToNhwc, type TensorData } from '../diffusion/tensor-layout';
import type { UNet2DConditionModel } from '../models/unet-2d-condition';
import { diffusionDpoLoss, rewardMargins } from './diffusion-dpo-loss';
import type { ForwardProcess } from './forward-process';
import type { LoraAdapter } from './lora/lora-adapter';
import { AdamW } from './optimizer/adamw';
import { clipFactor, GradientSum, globalNorm } from './optimizer/gradients';
import { linearSchedule } from './optimizer/linear-schedule';
import './register-gradients';
import { sampleErrors, sftLoss } from './sft-loss';
import { type PlannedPair, type TrainingPhase, TrainingPlan } from './training-plan';
import { checkTrainingRecipe, type TrainingRecipe } from './training-recipe';

/** A prompt's states as the text encoder gave them. */
export interface CachedText {
  readonly states: Float32Array; // [L, D]
  readonly tokens: number;
  readonly width: number;
}

export interface CachedPair {
  readonly id: string;
  /** Key of `TrainingData.texts`. */
  readonly prompt: string;
  /** Scaled latents in PyTorch's order, [C, H, W]. */
  readonly winner: Float32Array;
  readonly loser: Float32Array;
}

/** What a run needs of its data: computed once, kept with the run. */
export interface TrainingData {
  /** [C, H, W] of every latent. */
  readonly latentShape: readonly [number, number, number];
  readonly pairs: readonly CachedPair[];
  /** With '' among them, for the pairs whose caption is left out. */
  readonly texts: ReadonlyMap<string, CachedText>;
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
}

/** All that a run's future depends on, beside its data and recipe. */
export interface TrainerState {
  readonly completedSteps: number;
  /** `weight.<name>`, `first.<name>`, `second.<name>`, as on the backend. */
  readonly values: ReadonlyMap<string, Float32Array>;
}

/** One pass: its pairs, forward and backward. */
interface PassResult {
  readonly loss: number;
  readonly gradients: readonly tf.Tensor[];
  /** Per pair: mse_w, and in DPO mse_l, ref_w, ref_l, margin. */
  readonly columns: readonly (readonly number[])[];
}

/**
 * Fine-tunes an adapter on preference pairs: supervised epochs on the winners, then diffusion-DPO against the base
 * model, as section 4.2 and 5.1 of the Tango 2 paper. One call of `step` is one step of the optimiser; between two
 * calls the model is as its checkpoint has it and may be used for anything else.
 */
export class PreferenceTrainer {
  readonly plan: TrainingPlan;
  readonly #optimizer: AdamW;
  #completedSteps = 0;

  /** @throws InvalidInputError when recipe or data cannot be trained with */
  constructor(
    readonly recipe: TrainingRecipe,
    readonly data: TrainingData,
    readonly adapter: LoraAdapter,
    readonly process: ForwardProcess,
  ) {
    checkTrainingRecipe(recipe);
    checkData(data);
    this.#optimizer = new AdamW({ weightDecay: recipe.weightDecay });
    this.plan = new TrainingPlan({
      ...recipe,
      pairCount: data.pairs.length,
      numTrainTimesteps: process.numTrainTimesteps,
    });
  }

  get completedSteps(): number {
    return this.#completedSteps;
  }

  get done(): boolean {
    return this.#completedSteps >= this.plan.totalSteps;
  }

  /**
   * The next step.
   * @param unet the frozen base; the adapter hangs in it during the call's synchronous parts only
   * @throws NonFiniteError naming the pair; weights and moments are those before the step
   */
  async step(unet: UNet2DConditionModel): Promise<StepMetrics> {
    const { phase, epoch, pairs } = this.plan.step(this.#completedSteps);
    const { pairsPerPass, learningRate, warmupSteps, maxGradNorm } = this.recipe;
    const sum = new GradientSum();
    try {
      let loss = 0;
      const columns: (readonly number[])[] = [];
      for (let first = 0; first < pairs.length; first += pairsPerPass) {
        const part = pairs.slice(first, first + pairsPerPass);
        const pass = await this.#pass(unet, phase, part);
        sum.add(pass.gradients, part.length / pairs.length);
        loss += (pass.loss * part.length) / pairs.length;
        columns.push(...pass.columns);
        this.#checkFinite(pass.loss, part);
      }
      const norm = globalNorm(sum.gradients);
      const gradNorm = (await norm.data())[0] ?? Number.NaN;
      norm.dispose();
      this.#checkFinite(gradNorm, pairs);
      sum.scale(clipFactor(gradNorm, maxGradNorm));
      const rate = learningRate * linearSchedule(this.#completedSteps, warmupSteps, this.plan.totalSteps);
      this.#optimizer.step(this.adapter.weights, sum.gradients, rate);
      this.#completedSteps += 1;
      const mean = (column: number): number =>
        columns.reduce((total, row) => total + (row[column] ?? 0), 0) / columns.length;
      const preference = phase === 'dpo';
      return {
        step: this.#completedSteps,
        epoch,
        phase,
        loss,
        learningRate: rate,
        gradNorm,
        mseWinner: mean(0),
        mseLoser: preference ? mean(1) : null,
        refMseWinner: preference ? mean(2) : null,
        refMseLoser: preference ? mean(3) : null,
        implicitAccuracy: preference
          ? columns.reduce((total, row) => total + (Math.sign(row[4] ?? 0) + 1) / 2, 0) / columns.length
          : null,
        margin: preference ? mean(4) : null,
      };
    } finally {
      sum.dispose();
    }
  }

  async snapshot(): Promise<TrainerState> {
    const values = new Map(await this.#optimizer.snapshot());
    for (const weight of this.adapter.weights) values.set(`weight.${weight.name}`, await weight.read());
    return { completedSteps: this.#completedSteps, values };
  }

  /** Goes on from a snapshot of the same run: what follows is what would have followed. */
  restore({ completedSteps, values }: TrainerState): void {
    const { weights } = this.adapter;
    for (const weight of weights) {
      const kept = required(values.get(`weight.${weight.name}`), `the checkpoint's ${weight.name}`);
      weight.write(Float32Array.from(kept));
    }
    this.#optimizer.restore(weights, values, completedSteps);
    this.#completedSteps = completedSteps;
  }

  /** Frees the moments; the adapter stays the caller's. */
  dispose(): void {
    this.#optimizer.dispose();
  }

  async #pass(
    unet: UNet2DConditionModel,
    phase: TrainingPhase,
    pairs: readonly PlannedPair[],
  ): Promise<PassResult> {
    const halves = phase === 'dpo' ? (['winner', 'loser'] as const) : (['winner'] as const);
    const timesteps = halves.flatMap(() => pairs.map(({ timestep }) => timestep));
    const inputs = tf.tidy(() => {
      const noise = this.#noise(pairs); // [B, H, W, C]
      const noises = tf.concat(halves.map(() => noise)) as tf.Tensor4D;
      const clean = tf.concat(halves.map((half) => this.#latents(pairs, half))) as tf.Tensor4D;
      const { states, mask } = this.#texts(pairs, halves.length);
      return {
        noisy: this.process.addNoise(clean, noises, timesteps),
        target: this.process.target(clean, noises, timesteps),
        states,
        mask,
      };
    });
    const predict = (): tf.Tensor4D => {
      const encoder = unet.prepareEncoderStates(inputs.states, inputs.mask);
      return unet.forward(inputs.noisy, timesteps, encoder);
    };
    const kept: tf.Tensor[] = [];
    const keep = <T extends tf.Tensor>(tensor: T): T => {
      kept.push(tf.keep(tensor));
      return tensor;
    };
    try {
      // The reference is the model without the adapter.
      const reference = phase === 'dpo' ? tf.tidy(predict) : null;
      if (reference) kept.push(reference);
      const { value, grads } = this.adapter.within(unet.linears(), () =>
        tf.valueAndGrads(() => {
          const prediction = predict();
          const errors = keep(sampleErrors(prediction, inputs.target));
          if (!reference) return sftLoss(errors);
          const [winner, loser] = splitHalves(prediction, reference, inputs.target);
          const margins = keep(rewardMargins(winner, loser, this.recipe.beta));
          return diffusionDpoLoss(margins);
        })(this.adapter.weights.map(({ tensor }) => tensor)),
      );
      if (reference) kept.push(sampleErrors(reference, inputs.target));
      kept.push(value);
      try {
        return {
          loss: (await value.data())[0] ?? Number.NaN,
          gradients: grads,
          columns: await this.#columns(kept, reference, pairs.length),
        };
      } catch (error) {
        tf.dispose(grads);
        throw error;
      }
    } finally {
      tf.dispose([Object.values(inputs), kept]);
    }
  }

  /** @param kept in DPO: reference, errors [2B], margins [B], reference errors [2B], loss; else errors [B], loss */
  async #columns(
    kept: readonly tf.Tensor[],
    reference: tf.Tensor | null,
    count: number,
  ): Promise<readonly (readonly number[])[]> {
    const numbers = async (i: number): Promise<ArrayLike<number>> =>
      required(kept[i], 'a kept tensor').data();
    const rows = Array.from({ length: count }, (_, i) => i);
    if (!reference) {
      const errors = await numbers(0);
      return rows.map((i) => [errors[i] ?? Number.NaN]);
    }
    const errors = await numbers(1);
    const margins = await numbers(2);
    const references = await numbers(3);
    const at = (values: ArrayLike<number>, i: number): number => values[i] ?? Number.NaN;
    return rows.map((i) => [
      at(errors, i),
      at(errors, count + i),
      at(references, i),
      at(references, count + i),
      at(margins, i),
    ]);
  }

  /** @returns [B, H, W, C] */
  #noise(pairs: readonly PlannedPair[]): tf.Tensor4D {
    const size = this.data.latentShape.reduce((product, axis) => product * axis);
    return this.#stack(pairs.map(({ noiseSeed }) => new TorchGenerator(noiseSeed).randn(size)));
  }

  #latents(pairs: readonly PlannedPair[], half: 'winner' | 'loser'): tf.Tensor4D {
    return this.#stack(pairs.map(({ pair }) => required(this.data.pairs[pair], 'a pair')[half]));
  }

  /** [C, H, W] of each -> [B, H, W, C] */
  #stack(images: readonly Float32Array[]): tf.Tensor4D {
    const shape = this.data.latentShape;
    const size = shape.reduce((product, axis) => product * axis);
    const all: TensorData = {
      data: new Float32Array(images.length * size),
      shape: [images.length, ...shape],
    };
    for (const [i, image] of images.entries()) all.data.set(image, i * size);
    return nchwToNhwc(all);
  }

  /** The prompts padded to the longest, once for each half. */
  #texts(pairs: readonly PlannedPair[], halves: number): { states: tf.Tensor3D; mask: tf.Tensor2D } {
    const texts = pairs.map(({ pair, dropCaption }) => {
      const prompt = dropCaption ? '' : required(this.data.pairs[pair], 'a pair').prompt;
      return required(this.data.texts.get(prompt), `the text states of "${prompt}"`);
    });
    const tokens = Math.max(...texts.map((text) => text.tokens));
    const width = texts[0]?.width ?? 0;
    const states = new Float32Array(texts.length * tokens * width);
    const mask = new Float32Array(texts.length * tokens);
    for (const [i, text] of texts.entries()) {
      states.set(text.states, i * tokens * width);
      mask.fill(1, i * tokens, i * tokens + text.tokens);
    }
    const repeated = <T extends tf.Tensor>(tensor: T): T =>
      (halves === 1 ? tensor : tf.concat(Array<T>(halves).fill(tensor))) as T;
    return {
      states: repeated(tf.tensor3d(states, [texts.length, tokens, width])),
      mask: repeated(tf.tensor2d(mask, [texts.length, tokens])),
    };
  }

  #checkFinite(value: number, pairs: readonly PlannedPair[]): void {
    if (Number.isFinite(value)) return;
    const ids = pairs.map(({ pair }) => `"${this.data.pairs[pair]?.id}"`).join(', ');
    throw new NonFiniteError(
      `Training stopped at step ${this.#completedSteps + 1}: the pair ${ids} gave NaN or infinity. Listen to it, lower the learning rate, or leave it out; the run stands at its last checkpoint.`,
    );
  }
}

/** [2B, …] of winners then losers -> the two halves. */
function splitHalves(prediction: tf.Tensor4D, reference: tf.Tensor4D, target: tf.Tensor4D): [Half, Half] {
  const [p, r, t] = [prediction, reference, target].map((tensor) => tf.split(tensor, 2));
  const half = (i: number): Half => ({
    prediction: required(p?.[i], 'a half'),
    reference: required(r?.[i], 'a half'),
    target: required(t?.[i], 'a half'),
  });
  return [half(0), half(1)];
}
type Half = Parameters<typeof rewardMargins>[0];

function checkData({ pairs, texts, latentShape }: TrainingData): void {
  if (pairs.length === 0)
    throw new InvalidInputError('A run needs at least one pair of a winner and a loser.');
  const size = latentShape.reduce((product, axis) => product * axis);
  for (const { id, prompt, winner, loser } of pairs) {
    if (!texts.has(prompt)) throw new InvalidInputError(`The text states of the pair "${id}" are missing.`);
    if (winner.length === size && loser.length === size) continue;
    throw new InvalidInputError(
      `The latents of the pair "${id}" should be [${latentShape.join(', ')}], ${size} numbers; ${winner.length} and ${loser.length} came.`,
    );
  }
}
