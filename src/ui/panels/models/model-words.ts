import type { HubOrigin } from '../../../engine/protocol';

/** Where a model came from. */
export function sourceText({
  source,
  origin,
}: {
  readonly source: 'bundled' | 'imported';
  readonly origin?: HubOrigin;
}): string {
  if (source === 'bundled') return 'bundled';
  return origin ? `downloaded from ${new URL(origin.hubUrl).host}` : 'imported';
}

/** What a check of a model's bytes found. */
export function checkText(damaged: readonly string[]): string {
  return damaged.length === 0
    ? 'Checked: every byte is as it was kept.'
    : `Damaged: ${damaged.join(', ')}. Remove the model, then download or import it again.`;
}
