import type { ModelSummary, ResolvedGenerateRequest } from '../../../engine/protocol';
import { GENERATE_LIMITS } from '../../../engine/protocol-limits';
import type { GenerateSettings } from '../../stores/settings-store';

export interface Bounds {
  readonly min: number;
  readonly max: number;
}

/** Of the bundled model; they stand until a model has said its own. */
const FALLBACK_DURATION_BOUNDS: Bounds = { min: 1, max: 10.24 };

export function durationBounds(model: ModelSummary | null): Bounds {
  return model ? { min: model.minDurationSeconds, max: model.maxDurationSeconds } : FALLBACK_DURATION_BOUNDS;
}

export type FieldErrors = Partial<
  Record<'prompt' | 'negativePrompt' | 'durationSeconds' | 'steps' | 'guidanceScale' | 'seed', string>
>;

function format(value: number): string {
  return value.toLocaleString('en');
}

function checkNumber(value: number, bounds: Bounds, what: string, whole: boolean): string | undefined {
  const range = `from ${format(bounds.min)} to ${format(bounds.max)}`;
  if (!Number.isFinite(value)) return `Enter ${what} ${range}.`;
  if (value < bounds.min || value > bounds.max) return `Enter ${what} ${range}; this is ${format(value)}.`;
  if (whole && !Number.isInteger(value)) return `Enter a whole number ${range}.`;
  return undefined;
}

function checkText({ length }: string): string | undefined {
  const { promptLength } = GENERATE_LIMITS;
  return length > promptLength
    ? `Keep it within ${format(promptLength)} characters; this has ${format(length)}.`
    : undefined;
}

/** What is wrong with an adapter's strength; undefined when nothing is. */
export function checkStrength(strength: number): string | undefined {
  return checkNumber(strength, GENERATE_LIMITS.adapterStrength, 'a strength', false);
}

/** What keeps these settings from being sent, by field; empty when nothing does. */
export function validateSettings(settings: GenerateSettings, duration: Bounds): FieldErrors {
  const errors: Record<string, string | undefined> = {
    prompt:
      checkText(settings.prompt) ?? (settings.prompt.trim() === '' ? 'Describe the sound first.' : undefined),
    negativePrompt: checkText(settings.negativePrompt),
    durationSeconds: checkNumber(settings.durationSeconds, duration, 'seconds', false),
    steps: checkNumber(settings.steps, GENERATE_LIMITS.steps, 'a number of steps', true),
    guidanceScale: checkNumber(settings.guidanceScale, GENERATE_LIMITS.guidanceScale, 'a strength', false),
    seed: checkNumber(settings.seed, GENERATE_LIMITS.seed, 'a seed', true),
    // By the ids of their fields, as all of these are.
    ...Object.fromEntries(
      settings.adapters.map(({ id, strength }) => [`adapter-${id}`, checkStrength(strength)]),
    ),
  };
  return Object.fromEntries(Object.entries(errors).filter(([, message]) => message !== undefined));
}

/** Valid settings as the engine wants them, nothing left to a default: the record of each take is complete. */
export function toRequest(settings: GenerateSettings, modelId: string): ResolvedGenerateRequest {
  return {
    prompt: settings.prompt.trim(),
    negativePrompt: settings.negativePrompt.trim(),
    steps: settings.steps,
    guidanceScale: settings.guidanceScale,
    scheduler: settings.scheduler,
    seed: settings.seed,
    durationSeconds: settings.durationSeconds,
    count: settings.takeCount,
    modelId,
    ...(settings.adapters.length > 0 && { adapters: settings.adapters }),
  };
}
