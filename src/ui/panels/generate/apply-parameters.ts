import type { ResolvedGenerateRequest } from '../../../engine/protocol';
import type { Generation, Take } from '../../stores/generation-store';
import type { Studio } from '../../stores/studio';

function apply(
  { settings, view }: Studio,
  request: ResolvedGenerateRequest,
  seed: number,
  takeCount: number,
) {
  const { prompt, negativePrompt, durationSeconds, steps, guidanceScale, scheduler, adapters = [] } = request;
  settings.getState().set({
    prompt,
    negativePrompt,
    durationSeconds,
    steps,
    guidanceScale,
    scheduler,
    seed,
    takeCount,
    adapters,
    // The seed is a part of what made the sound: it must not be drawn anew at the next press.
    seedLocked: true,
  });
  view.getState().announce('The settings are in the form; the seed is locked.');
}

/** Fills the form so that the next generation makes this very take again. */
export function applyTake(studio: Studio, { sound }: Take): void {
  apply(studio, sound.parameters, sound.seed, 1);
}

/** Fills the form so that the next generation makes all of these takes again. */
export function applyGeneration(studio: Studio, { request }: Generation): void {
  apply(studio, request, request.seed, request.count);
}
