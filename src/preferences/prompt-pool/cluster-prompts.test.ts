import { describe, expect, it } from 'vitest';
import { InvalidInputError, JobCancelledError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';
import { clusterPrompts } from './cluster-prompts';

/** Three clouds on a sphere's axes, of 30, 20 and 10 points. */
function clouds(): { rows: Float32Array[]; truth: number[] } {
  const generator = new TorchGenerator(5);
  const truth = [...new Array(30).fill(0), ...new Array(20).fill(1), ...new Array(10).fill(2)] as number[];
  // Not in the order of the clouds.
  const order = truth.map((_, i) => (i * 7) % 60);
  const noise = generator.randn(60 * 16);
  const rows = order.map((place) =>
    Float32Array.from(
      { length: 16 },
      (_, d) => (d === truth[place]! * 4 ? 1 : 0) + 0.05 * noise[place * 16 + d]!,
    ),
  );
  return { rows, truth: order.map((place) => truth[place]!) };
}

describe('clusterPrompts', () => {
  it('finds what is there, largest first, and draws as many from each', async () => {
    const { rows, truth } = clouds();
    const { clusterOf, picked, map } = await clusterPrompts(rows, { clusters: 3, perCluster: 12, seed: 1 });
    expect(clusterOf).toEqual(truth);
    const drawn = [0, 1, 2].map((cluster) => picked.filter((i) => truth[i] === cluster).length);
    expect(drawn).toEqual([12, 12, 10]);
    expect(new Set(picked).size).toBe(picked.length);
    expect([...picked]).toEqual([...picked].sort((a, b) => a - b));
    expect(map).toHaveLength(60);
  });

  it('lays each cloud together on the map', async () => {
    const { rows, truth } = clouds();
    const { map } = await clusterPrompts(rows, { clusters: 3, perCluster: 1, seed: 1 });
    const centre = (cluster: number): [number, number] => {
      const own = map.filter((_, i) => truth[i] === cluster);
      return [0, 1].map((axis) => own.reduce((sum, point) => sum + point[axis]!, 0) / own.length) as [
        number,
        number,
      ];
    };
    const centres = [0, 1, 2].map(centre);
    const nearest = map.map(([x, y]) => {
      const distances = centres.map(([cx, cy]) => Math.hypot(x - cx, y - cy));
      return distances.indexOf(Math.min(...distances));
    });
    expect(nearest).toEqual(truth);
  });

  it('draws the same for the same seed, another for another', async () => {
    const { rows } = clouds();
    const drawn = async (seed: number) =>
      (await clusterPrompts(rows, { clusters: 3, perCluster: 3, seed })).picked;
    expect(await drawn(4)).toEqual(await drawn(4));
    expect(await drawn(4)).not.toEqual(await drawn(5));
  });

  it('takes prompts that are all alike', async () => {
    const rows = Array.from({ length: 6 }, () => Float32Array.of(1, 0, 0));
    const { clusterOf, picked, map } = await clusterPrompts(rows, { clusters: 2, perCluster: 2, seed: 0 });
    expect(clusterOf).toHaveLength(6);
    expect(picked.length).toBeGreaterThanOrEqual(2);
    expect(map.flat().every(Number.isFinite)).toBe(true);
  });

  it.each([
    [
      { clusters: 1, perCluster: 1, seed: 0 },
      'clusters is a whole number from 2 to the 60 prompts, but 1 came.',
    ],
    [{ clusters: 61, perCluster: 1, seed: 0 }, 'but 61 came'],
    [{ clusters: 3, perCluster: 0, seed: 0 }, 'perCluster is a whole number from 1, but 0 came.'],
    [{ clusters: 3, perCluster: 1, seed: -1 }, 'seed is a whole number'],
  ])('refuses %o', async (settings, message) => {
    const failing = clusterPrompts(clouds().rows, settings);
    await expect(failing).rejects.toThrow(InvalidInputError);
    await expect(failing).rejects.toThrow(message);
  });

  it('is cancelled between rounds', async () => {
    const stop = new AbortController();
    const running = clusterPrompts(
      clouds().rows,
      { clusters: 3, perCluster: 1, seed: 0 },
      {
        signal: stop.signal,
        onIteration: async () => stop.abort(new JobCancelledError('The job was cancelled.')),
      },
    );
    await expect(running).rejects.toThrow(JobCancelledError);
  });
});
