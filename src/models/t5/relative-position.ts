/**
 * T5's bucket of a relative position, both directions: half of the buckets for keys after the query; in each half,
 * one bucket a distance for the first half of it, then logarithmically wider ones up to `maxDistance`, and the last
 * for all beyond. Rounded to float32 where torch rounds: bucket edges fall on exact logarithms.
 *
 * Source: transformers' T5Attention._relative_position_bucket.
 *
 * @param relativePosition key position - query position
 */
export function relativePositionBucket(
  relativePosition: number,
  buckets: number,
  maxDistance: number,
): number {
  const half = Math.floor(buckets / 2);
  const exact = Math.floor(half / 2);
  const distance = Math.abs(relativePosition);
  const direction = relativePosition > 0 ? half : 0;
  if (distance < exact) return direction + distance;
  const logarithm = Math.fround(Math.log(Math.fround(distance / exact)));
  const share = Math.fround(logarithm / Math.fround(Math.log(maxDistance / exact)));
  const step = Math.floor(Math.fround(share * (half - exact)));
  return direction + Math.min(exact + step, half - 1);
}

/** The bucket of every (query, key) pair: row-major [length, length]. */
export function relativePositionBuckets(length: number, buckets: number, maxDistance: number): Int32Array {
  const byDistance = Int32Array.from({ length: 2 * length - 1 }, (_, i) =>
    relativePositionBucket(i - (length - 1), buckets, maxDistance),
  );
  return Int32Array.from({ length: length * length }, (_, i) => {
    const query = Math.floor(i / length);
    const key = i % length;
    return byDistance[key - query + length - 1]!;
  });
}
