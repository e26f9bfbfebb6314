import { describe, expect, it } from 'vitest';
import { loadFixture } from '../../testing';
import { relativePositionBucket, relativePositionBuckets } from './relative-position';

const fixture = await loadFixture(
  new URL('./fixtures/relative-position-buckets.safetensors', import.meta.url),
);

describe('relative position buckets', () => {
  it.each(fixture.names)('equal transformers for (buckets, max distance) = %s', (name) => {
    const [buckets, maxDistance] = name.split(',').map(Number) as [number, number];
    const first = fixture.metadata<number>('first_distance');
    const expected = Array.from(fixture.values(name).data);
    expect(expected.map((_, i) => relativePositionBucket(first + i, buckets, maxDistance))).toEqual(expected);
  });

  it('are laid out query by query', () => {
    const buckets = relativePositionBuckets(3, 32, 128);
    // Key before query: the distance; after: 16 more.
    expect(Array.from(buckets)).toEqual([0, 17, 18, 1, 0, 17, 2, 1, 0]);
  });
});
