import { InvalidConfigError, InvalidInputError } from '../../common/errors';
import { ConfigReader } from '../../models/config-reader';
import { type NoiseSchedule, parseNoiseSchedule } from './noise-schedule';
import { PREDICTION_TYPES, type PredictionType } from './scheduler';
import { TIMESTEP_SPACINGS, type TimestepSpacing } from './timestep-spacing';

/** Schedulers whose config describes the same forward process: diffusers' KarrasDiffusionSchedulers. */
const COMPATIBLE_CLASSES: readonly string[] = [
  'DDPMScheduler',
  'DDIMScheduler',
  'DPMSolverMultistepScheduler',
  'DPMSolverSinglestepScheduler',
  'DPMSolverSDEScheduler',
  'DEISMultistepScheduler',
  'PNDMScheduler',
  'LMSDiscreteScheduler',
  'EulerDiscreteScheduler',
  'EulerAncestralDiscreteScheduler',
  'HeunDiscreteScheduler',
  'KDPM2DiscreteScheduler',
  'KDPM2AncestralDiscreteScheduler',
  'UniPCMultistepScheduler',
];

/** What the three schedulers share. */
export interface CommonSchedulerConfig {
  readonly noise: NoiseSchedule;
  readonly predictionType: PredictionType;
  readonly timestepSpacing: TimestepSpacing;
  readonly stepsOffset: number;
}

/**
 * A reader over a scheduler_config.json, whichever scheduler wrote it. As `from_config` of diffusers does, fields that
 * the writer only had by default (`_use_default_values`) are left out, so that the reading class's defaults hold.
 *
 * @throws InvalidConfigError when it belongs to a diffusion process of another kind.
 */
export function schedulerReader(json: unknown, className: string): ConfigReader {
  const all = new ConfigReader(json, className);
  const writer = all.raw('_class_name');
  if (typeof writer === 'string' && !COMPATIBLE_CLASSES.includes(writer)) {
    throw new InvalidConfigError(
      `scheduler_config.json is of ${writer}, whose noise process ${className} cannot follow. Supported: ${COMPATIBLE_CLASSES.join(', ')}.`,
    );
  }
  const defaulted: unknown = all.raw('_use_default_values');
  if (!Array.isArray(defaulted)) return all;
  const fields = Object.entries(Object(json)).filter(([name]) => !defaulted.includes(name));
  return new ConfigReader(Object.fromEntries(fields), className);
}

export function parseCommonConfig(reader: ConfigReader, spacing: TimestepSpacing): CommonSchedulerConfig {
  reader.only('thresholding', false);
  return {
    noise: parseNoiseSchedule(reader),
    predictionType: reader.oneOf('prediction_type', PREDICTION_TYPES, 'epsilon'),
    timestepSpacing: reader.oneOf('timestep_spacing', TIMESTEP_SPACINGS, spacing),
    stepsOffset: reader.integer('steps_offset', 0, 0),
  };
}

/** Null when x0 is not clipped. */
export function parseClipRange(reader: ConfigReader): number | null {
  const range = reader.number('clip_sample_range', 1);
  return reader.boolean('clip_sample', true) ? range : null;
}

/** @throws InvalidInputError outside 1 … the number of training timesteps. */
export function checkSteps(steps: number, maximum: number): void {
  if (Number.isSafeInteger(steps) && steps >= 1 && steps <= maximum) return;
  throw new InvalidInputError(
    `The number of steps is an integer from 1 to ${maximum}, the timesteps that the model was trained with, but ${steps} came. Choose a number in this range.`,
  );
}

/** @throws InvalidInputError when the offset of the spacing moves the first timestep past those that were trained */
export function checkTrained(timesteps: readonly number[], numTrainTimesteps: number): void {
  const first = timesteps[0] ?? 0;
  if (first < numTrainTimesteps) return;
  throw new InvalidInputError(
    `${timesteps.length} steps would begin at timestep ${first}, but this model was trained up to ${numTrainTimesteps - 1}. Choose fewer steps.`,
  );
}
