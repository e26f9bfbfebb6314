import { InvalidInputError } from '../common/errors';

/** The highest rate that any audio format in use has; above it a header is damaged. */
export const MAX_SAMPLE_RATE_HZ = 768_000;

/** @throws InvalidInputError unless `value` is a whole number of Hz from 1 to 768,000. */
export function checkSampleRate(value: number, what: string): void {
  if (!Number.isInteger(value) || value < 1 || value > MAX_SAMPLE_RATE_HZ) {
    throw new InvalidInputError(
      `${what} is a whole number of Hz from 1 to ${MAX_SAMPLE_RATE_HZ}, but ${value} came. Check the file's header or the argument.`,
    );
  }
}

/** @throws InvalidInputError when a sample is NaN or infinite, naming the first one. */
export function checkFinite(samples: ArrayLike<number>, what: string): void {
  for (let i = 0; i < samples.length; i += 1) {
    if (!Number.isFinite(samples[i])) {
      throw new InvalidInputError(
        `${what} has to be finite numbers, but sample ${i} is ${samples[i]}. Export the sound again, or repair it.`,
      );
    }
  }
}
