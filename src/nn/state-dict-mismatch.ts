import { formatShape, shapesEqual } from '../common/assert';
import { nearestNames } from '../common/nearest-names';
import type { StateDict } from '../weights/state-dict';
import type { Parameter } from './parameter';

const MAX_LINES = 12;

/**
 * What does not match between a model's parameters and a state dict, as the text of an error: every missing,
 * misshapen and unexpected key, a missing one with the nearest names that are there. Null when all is well.
 */
export function describeMismatches(
  parameters: readonly Parameter[],
  stateDict: StateDict,
  ignoreUnexpected: readonly RegExp[],
): string | null {
  const expected = new Set(parameters.map(({ name }) => name));
  const unexpected = stateDict
    .names()
    .filter((name) => !expected.has(name) && !ignoreUnexpected.some((pattern) => pattern.test(name)));
  const missing: string[] = [];
  const misshapen: string[] = [];
  for (const parameter of parameters) {
    const entry = stateDict.entry(parameter.name);
    const shape = formatShape(parameter.torchShape);
    if (!entry) {
      // The same shape counts as much as a part of the name.
      const near = nearestNames(parameter.name, unexpected, (candidate) =>
        shapesEqual(stateDict.entry(candidate)?.shape ?? [], parameter.torchShape) ? 1 : 0,
      );
      missing.push(`"${parameter.name}" ${shape}${near.length ? ` (nearest: ${near.join(', ')})` : ''}`);
    } else if (!shapesEqual(entry.shape, parameter.torchShape)) {
      misshapen.push(`"${parameter.name}" should be ${shape}, got ${formatShape(entry.shape)}`);
    }
  }
  const sections = [
    section('missing', missing),
    section('of another shape', misshapen),
    section(
      'unexpected',
      unexpected.map((name) => `"${name}" ${formatShape(stateDict.entry(name)?.shape ?? [])}`),
    ),
  ].filter((text) => text !== null);
  if (sections.length === 0) return null;
  return (
    `Expected the ${parameters.length} tensors that the model's config.json describes; ${sections.join('; ')}. ` +
    'Check that config.json and weights are of the same checkpoint.'
  );
}

function section(title: string, lines: readonly string[]): string | null {
  if (lines.length === 0) return null;
  const shown = lines.slice(0, MAX_LINES).join(', ');
  const rest = lines.length > MAX_LINES ? ` and ${lines.length - MAX_LINES} more` : '';
  return `${lines.length} ${title}: ${shown}${rest}`;
}
