import { InvalidInputError } from '../common/errors';
import { TRAIN_NUMBERS, TRAIN_WHOLE_NUMBERS } from '../common/training-limits';
import { checkLoraConfig, type LoraConfig } from './lora/lora-config';

/** Everything that decides a run beside the model and the data. */
export interface TrainingRecipe {
  /** Low-rank weights beside the frozen UNet, or every weight of the UNet as in the paper. */
  readonly trains: 'lora' | 'unet';
  /** Of 'lora'. */
  readonly lora: LoraConfig;
  /** Tango 2's convention, in which the paper's runs have 2000; diffusers' `beta_dpo` is half of it. */
  readonly beta: number;
  readonly learningRate: number;
  readonly weightDecay: number;
  /** Steps over which the rate rises from 0; afterwards it falls linearly to 0. */
  readonly warmupSteps: number;
  /** Gradients are scaled down to this norm. */
  readonly maxGradNorm: number;
  /** Epochs of supervised fine-tuning on the winners, before those of DPO. */
  readonly sftEpochs: number;
  readonly dpoEpochs: number;
  /** Pairs that go through the UNet together. */
  readonly pairsPerPass: number;
  /** Pairs of an optimiser step: the gradients of its passes are added up. */
  readonly pairsPerStep: number;
  /** Share of the pairs whose prompt is left out, for winner and loser alike. */
  readonly captionDropout: number;
  /** 0…0.5: share of the prompts that the run never sees, to measure itself on. */
  readonly heldOutShare: number;
  /** Of an average of the weights over the steps, which is then what the run gives; 0: the last weights as they are. */
  readonly emaDecay: number;
  /** Keeps no activations between forward and backward pass but computes them again: far less memory, more time. */
  readonly recompute: boolean;
  readonly seed: number;
}

/** @throws InvalidInputError naming the field, the accepted range and what came */
export function checkTrainingRecipe(recipe: TrainingRecipe): void {
  const { trains } = recipe;
  if (trains !== 'lora' && trains !== 'unet') {
    throw new InvalidInputError(`trains is "lora" or "unet", but ${String(trains)} came.`);
  }
  if (trains === 'lora') checkLoraConfig(recipe.lora);
  for (const [field, [minimum, maximum]] of Object.entries({ ...TRAIN_NUMBERS, ...TRAIN_WHOLE_NUMBERS })) {
    const value: unknown = recipe[field as keyof typeof TRAIN_NUMBERS | keyof typeof TRAIN_WHOLE_NUMBERS];
    const whole = field in TRAIN_WHOLE_NUMBERS;
    if (
      typeof value === 'number' &&
      value >= minimum &&
      value <= maximum &&
      (!whole || Number.isInteger(value))
    )
      continue;
    throw new InvalidInputError(
      `${field} is ${whole ? 'a whole number' : 'a number'} from ${minimum} to ${maximum}, but ${String(value)} came.`,
    );
  }
  if (recipe.sftEpochs + recipe.dpoEpochs === 0) {
    throw new InvalidInputError('A run has at least one epoch: set sftEpochs or dpoEpochs above 0.');
  }
}
