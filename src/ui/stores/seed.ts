import { GENERATE_LIMITS } from '../../engine/protocol-limits';

/** A seed of `torch.Generator("cpu")`, drawn evenly from 0…2^32−1. */
export function randomSeed(): number {
  return crypto.getRandomValues(new Uint32Array(1))[0]!;
}

/** The seed of take `takeIndex`: seeds count up from the first take's and wrap at 2^32. */
export function seedOfTake(firstSeed: number, takeIndex: number): number {
  return (firstSeed + takeIndex) % (GENERATE_LIMITS.seed.max + 1);
}
