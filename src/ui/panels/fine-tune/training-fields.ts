import { TRAIN_NUMBERS, TRAIN_WHOLE_NUMBERS } from '../../../common/training-limits';
import type { TrainSettings } from '../../../engine/protocol-training';

type NumberKey = {
  [K in keyof TrainSettings]: TrainSettings[K] extends number ? K : never;
}[keyof TrainSettings];

export interface TrainingField {
  readonly key: NumberKey;
  readonly label: string;
  readonly hint: string;
  readonly min: number;
  readonly max: number;
  readonly whole: boolean;
}

export interface TrainingFieldGroup {
  readonly label: string;
  readonly fields: readonly TrainingField[];
}

function number(key: keyof typeof TRAIN_NUMBERS, label: string, hint: string): TrainingField {
  const [min, max] = TRAIN_NUMBERS[key];
  return { key, label, hint, min, max, whole: false };
}

function whole(key: keyof typeof TRAIN_WHOLE_NUMBERS, label: string, hint: string): TrainingField {
  const [min, max] = TRAIN_WHOLE_NUMBERS[key];
  return { key, label, hint, min, max, whole: true };
}

function every(key: NumberKey, label: string): TrainingField {
  return { key, label, hint: 'steps', min: 1, max: 1e6, whole: true };
}

/** Everything under Advanced, in the order in which it is shown. */
export const fieldGroups: readonly TrainingFieldGroup[] = [
  {
    label: 'Schedule',
    fields: [
      whole('sftEpochs', 'Supervised epochs', 'on the winners, first'),
      whole('dpoEpochs', 'DPO epochs', 'paper: 4'),
      number('beta', 'β', 'Tango 2’s; diffusers’ × 2'),
      number('learningRate', 'Learning rate', 'whole UNet: 9.6e-7'),
      whole('warmupSteps', 'Warm-up', 'steps'),
      number('weightDecay', 'Weight decay', 'AdamW'),
      number('maxGradNorm', 'Gradient clipping', 'norm'),
      number('emaDecay', 'Average of the weights', 'decay; 0: off'),
    ],
  },
  {
    label: 'Batches',
    fields: [
      whole('pairsPerStep', 'Pairs a step', 'paper: 32'),
      whole('pairsPerPass', 'Pairs in memory', 'of a step'),
      number('captionDropout', 'Caption dropout', 'share, both halves'),
      whole('seed', 'Seed', 'order, noise, start'),
    ],
  },
  {
    label: 'Adapter',
    fields: [
      { key: 'rank', label: 'Rank', hint: 'of the LoRA', min: 1, max: 1024, whole: true },
      { key: 'alpha', label: 'Alpha', hint: 'scale is alpha / rank', min: 1e-3, max: 1e4, whole: false },
    ],
  },
  {
    label: 'Watching',
    fields: [
      number('heldOutShare', 'Held-out prompts', 'share'),
      every('validateEverySteps', 'Validate every'),
      every('sampleEverySteps', 'Samples every'),
      { key: 'sampleSeed', label: 'Sample seed', hint: 'fixed', min: 0, max: 2 ** 32 - 1, whole: true },
      every('checkpointEverySteps', 'Checkpoint every'),
    ],
  },
];

const format = (value: number): string => value.toLocaleString('en', { maximumSignificantDigits: 10 });

/** What keeps the settings from being used, by field. */
export function validateTraining(settings: TrainSettings): Partial<Record<keyof TrainSettings, string>> {
  const errors: Partial<Record<keyof TrainSettings, string>> = {};
  for (const { key, label, min, max, whole: isWhole } of fieldGroups.flatMap(({ fields }) => fields)) {
    const value = settings[key];
    const kind = isWhole ? 'a whole number' : 'a number';
    if (Number.isFinite(value) && value >= min && value <= max && (!isWhole || Number.isInteger(value)))
      continue;
    const came = Number.isFinite(value) ? `; this is ${format(value)}` : '';
    errors[key] = `${label}: enter ${kind} from ${format(min)} to ${format(max)}${came}.`;
  }
  if (settings.sftEpochs + settings.dpoEpochs === 0) {
    errors.dpoEpochs ??= 'A run has at least one epoch: set one of the two above 0.';
  }
  return errors;
}
