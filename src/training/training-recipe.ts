import { InvalidInputError } from '../common/errors';
import { checkLoraConfig, type LoraConfig } from './lora/lora-config';

/** Everything that decides a run beside the model and the data. */
export interface TrainingRecipe {
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
  readonly seed: number;
}

type Bounds = readonly [minimum: number, maximum: number];

const NUMBERS: Readonly<
  Record<'beta' | 'learningRate' | 'weightDecay' | 'maxGradNorm' | 'captionDropout', Bounds>
> = {
  beta: [1e-6, 1e9],
  learningRate: [0, 1e3],
  weightDecay: [0, 1],
  maxGradNorm: [1e-9, 1e9],
  captionDropout: [0, 1],
};
const WHOLE: Readonly<
  Record<'warmupSteps' | 'sftEpochs' | 'dpoEpochs' | 'pairsPerPass' | 'pairsPerStep' | 'seed', Bounds>
> = {
  warmupSteps: [0, 1e6],
  sftEpochs: [0, 1000],
  dpoEpochs: [0, 1000],
  pairsPerPass: [1, 64],
  pairsPerStep: [1, 4096],
  seed: [0, 2 ** 32 - 1],
};

/** @throws InvalidInputError naming the field, the accepted range and what came */
export function checkTrainingRecipe(recipe: TrainingRecipe): void {
  checkLoraConfig(recipe.lora);
  for (const [field, [minimum, maximum]] of Object.entries({ ...NUMBERS, ...WHOLE })) {
    const value: unknown = recipe[field as keyof typeof NUMBERS | keyof typeof WHOLE];
    const whole = field in WHOLE;
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
