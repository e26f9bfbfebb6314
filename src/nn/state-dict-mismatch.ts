import { formatShape, shapesEqual } from '../common/assert';
import { nearestNames } from '../common/nearest-names';
import { quoted } from '../common/quoted';
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
  const shapeOf = (name: string): readonly number[] => stateDict.entry(name)?.shape ?? [];
  const missing = parameters.filter(({ name }) => !stateDict.entry(name));
  const misshapen = parameters.filter(
    ({ name, torchShape }) => stateDict.entry(name) && !shapesEqual(shapeOf(name), torchShape),
  );
  const sections = [
    section('missing', missing, ({ name, torchShape }) => {
      // The same shape counts as much as a part of the name.
      const near = nearestNames(name, unexpected, (candidate) =>
        shapesEqual(shapeOf(candidate), torchShape) ? 1 : 0,
      );
      return `"${name}" ${formatShape(torchShape)}${near.length ? ` (nearest: ${near.join(', ')})` : ''}`;
    }),
    section(
      'of another shape',
      misshapen,
      ({ name, torchShape }) =>
        `"${name}" should be ${formatShape(torchShape)}, got ${formatShape(shapeOf(name))}`,
    ),
    section('unexpected', unexpected, (name) => `${quoted(name)} ${formatShape(shapeOf(name))}`),
  ].filter((text) => text !== null);
  if (sections.length === 0) return null;
  return (
    `Expected the ${parameters.length} tensors that the model's config.json describes; ${sections.join('; ')}. ` +
    'Check that config.json and weights are of the same checkpoint.'
  );
}

/** Words are made for what is shown only: a file may have a hundred thousand names that are nearest to nothing. */
function section<T>(title: string, items: readonly T[], describe: (item: T) => string): string | null {
  if (items.length === 0) return null;
  const shown = items.slice(0, MAX_LINES).map(describe).join(', ');
  const rest = items.length > MAX_LINES ? ` and ${items.length - MAX_LINES} more` : '';
  return `${items.length} ${title}: ${shown}${rest}`;
}
