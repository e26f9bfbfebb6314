import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { planningDevice, provideWebGpuNames } from '../planning/planning-device';
import { BufferPool } from './buffer-pool';

const MIB = 2 ** 20;
let takeNamesAway: () => void;
beforeAll(() => {
  takeNamesAway = provideWebGpuNames();
});
afterAll(() => takeNamesAway());

describe('BufferPool', () => {
  let pool: BufferPool;
  beforeEach(() => {
    pool = new BufferPool(planningDevice(), 4 * MIB);
  });
  const make = (count: number, bytes: number): GPUBuffer[] =>
    Array.from({ length: count }, () => pool.acquireBuffer(bytes, GPUBufferUsage.STORAGE));
  const release = (...buffers: readonly GPUBuffer[]): void => {
    for (const buffer of buffers) pool.releaseBuffer(buffer);
  };

  it('gives the oldest idle buffer of a size, in whatever order they were given back', () => {
    const [a, b, c] = make(3, 256) as [GPUBuffer, GPUBuffer, GPUBuffer];
    release(b, c, a);
    expect(make(3, 256)).toEqual([a, b, c]);
    expect([a, b, c].map((buffer) => pool.numberOf(buffer))).toEqual([1, 2, 3]);
    release(c);
    expect(make(1, 512)[0]).not.toBe(c);
    expect(pool.acquireBuffer(256, GPUBufferUsage.UNIFORM)).not.toBe(c);
    expect(make(1, 256)[0]).toBe(c);
    expect(pool.createdBytes).toBe(3 * 256 + 512 + 256);
  });

  it('destroys the longest idle of the large ones beyond its limit, and keeps the small', () => {
    const small = make(3, 1024);
    const large = make(4, 2 * MIB);
    release(...small, ...large);
    const destroyed = [...small, ...large].map((buffer) => vi.spyOn(buffer, 'destroy'));
    pool.shrink();
    // Two large ones and the small are 4 MiB and some.
    expect(destroyed.map((spy) => spy.mock.calls.length)).toEqual([0, 0, 0, 1, 1, 1, 0]);
    expect(pool.numBytesAllocated).toBe(2 * MIB + 3 * 1024);
    expect(pool.peakBytes).toBe(8 * MIB + 3 * 1024);
    expect(make(1, 2 * MIB)[0]).toBe(large[3]);
  });

  it('destroys small ones when the large do not suffice, and all on trim', () => {
    const many = make(5000, 1024);
    const used = make(1, 1024);
    release(...many);
    pool.shrink();
    expect(pool.numBytesAllocated - pool.numBytesUsed).toBeLessThanOrEqual(4 * MIB);
    expect(pool.getNumFreeBuffers()).toBe(4096);
    pool.trim();
    expect([pool.getNumFreeBuffers(), pool.getNumUsedBuffers(), pool.numBytesAllocated]).toEqual([
      0, 1, 1024,
    ]);
    release(...used);
    pool.dispose();
    expect(pool.numBytesAllocated).toBe(0);
  });
});
