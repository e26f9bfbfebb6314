import { InvalidInputError } from '../../common/errors';
import { SCHEDULER_NAMES, type SchedulerName } from '../schedulers';
import { checkedShape, type TensorData } from '../tensor-layout';

/** What may be asked of a Tango pipeline; the models are trained on clips of up to 10.24 s. */
export const TANGO_LIMITS = {
  durationSeconds: { min: 1, max: 10.24 },
  steps: { min: 1, max: 1000 },
  guidanceScale: { min: 1, max: 20 },
  seed: { min: 0, max: 2 ** 32 - 1 },
} as const;

export interface TangoRequest {
  readonly prompt: string;
  /** What to steer away from; '' is the unconditional model that Tango was trained with. */
  readonly negativePrompt: string;
  readonly steps: number;
  /** 1: the prompt alone, one UNet sample a step instead of two. */
  readonly guidanceScale: number;
  readonly scheduler: SchedulerName;
  /** Of `torch.Generator("cpu")`: the noise is that of `torch.randn([1, C, H, W])`. */
  readonly seed: number;
  readonly durationSeconds: number;
  /** Starting noise instead of the seed's, [1, C, H, W], of unit variance. */
  readonly latents?: TensorData | undefined;
  readonly returnStages?: boolean | undefined;
}

/** @throws InvalidInputError naming the field, the accepted range and what came */
export function checkTangoRequest(request: TangoRequest): void {
  const { prompt, negativePrompt, scheduler } = request;
  if (typeof prompt !== 'string' || typeof negativePrompt !== 'string') {
    throw new InvalidInputError('Prompt and negative prompt are texts; one of them is not.');
  }
  if (!SCHEDULER_NAMES.includes(scheduler)) {
    throw new InvalidInputError(
      `The scheduler is one of ${SCHEDULER_NAMES.join(', ')}, but ${scheduler} came.`,
    );
  }
  for (const field of ['durationSeconds', 'guidanceScale', 'steps', 'seed'] as const) {
    const { min, max } = TANGO_LIMITS[field];
    const value = request[field];
    const whole = field === 'steps' || field === 'seed';
    if (value >= min && value <= max && (!whole || Number.isInteger(value))) continue;
    throw new InvalidInputError(
      `${field} is ${whole ? 'a whole number' : 'a number'} from ${min} to ${max}, but ${value} came.`,
    );
  }
}

/** @throws InvalidInputError unless the starting noise has the shape that the duration needs */
export function checkLatents(latents: TensorData, expected: readonly number[]): void {
  const shape = checkedShape(latents, ['1', 'C', 'H', 'W']);
  if (shape.some((size, axis) => size !== expected[axis])) {
    throw new InvalidInputError(
      `The starting noise of this model and duration has the shape [${expected.join(', ')}], but [${shape.join(', ')}] came.`,
    );
  }
  if (!latents.data.every(Number.isFinite)) {
    throw new InvalidInputError('The starting noise should be finite numbers, but has NaN or infinity.');
  }
}
