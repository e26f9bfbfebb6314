import { InvalidInputError } from '../../../common/errors';

/** @throws InvalidInputError when an axis, padded, is shorter than what the filter reaches over. */
export function requireOutput(
  op: string,
  axis: string,
  size: number,
  reach: number,
  [before, after]: readonly [number, number],
): void {
  if (size + before + after >= reach) return;
  throw new InvalidInputError(
    `${op}: ${axis} with its padding should be at least the ${reach} that the filter reaches over, ` +
      `got ${size} + ${before} + ${after}.`,
  );
}
