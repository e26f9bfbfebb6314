import { kmeansGenerator } from 'ml-kmeans';
import { PCA } from 'ml-pca';
import { InvalidInputError, JobCancelledError } from '../../common/errors';
import { TorchGenerator } from '../../common/random';

export interface ClusterSettings {
  /** k of K-means; the paper's pool has 200. */
  readonly clusters: number;
  /** Prompts that are drawn from each cluster; the paper draws 70. A smaller cluster gives all of its own. */
  readonly perCluster: number;
  /** 0…2^32−1: the first centres and the draw. */
  readonly seed: number;
}

export const CLUSTER_DEFAULTS: ClusterSettings = { clusters: 200, perCluster: 70, seed: 0 };

export interface Clusters {
  /** The cluster of each prompt, 0…clusters − 1, largest cluster first. */
  readonly clusterOf: readonly number[];
  /** Places of the prompts that were drawn, ascending. */
  readonly picked: readonly number[];
  /** Each prompt on the plane of the two directions in which the embeddings differ most. */
  readonly map: readonly (readonly [number, number])[];
}

/** Rounds of K-means at most. */
export const MAX_ITERATIONS = 100;

/** @throws InvalidInputError naming the field */
export function checkClusterSettings(settings: ClusterSettings, promptCount: number): void {
  const { clusters, perCluster, seed } = settings;
  if (promptCount < 2)
    throw new InvalidInputError(`Clusters need two prompts or more, but ${promptCount} came.`);
  if (!Number.isInteger(clusters) || clusters < 2 || clusters > promptCount) {
    throw new InvalidInputError(
      `clusters is a whole number from 2 to the ${promptCount} prompts, but ${clusters} came.`,
    );
  }
  if (!Number.isInteger(perCluster) || perCluster < 1) {
    throw new InvalidInputError(`perCluster is a whole number from 1, but ${perCluster} came.`);
  }
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new InvalidInputError(`seed is a whole number from 0 to 2^32 − 1, but ${seed} came.`);
  }
}

/**
 * A balanced part of a pool, as section 4.1.1 of the Tango 2 paper draws its seed captions: K-means over the prompts'
 * embeddings, then as many from each cluster.
 *
 * @param embeddings one [D] for each prompt
 * @param onIteration told after each round of K-means; what it returns is awaited, so that other work gets its turn
 * @throws InvalidInputError, JobCancelledError
 */
export async function clusterPrompts(
  embeddings: readonly Float32Array[],
  settings: ClusterSettings,
  {
    signal,
    onIteration,
  }: { signal?: AbortSignal | undefined; onIteration?: (iteration: number) => Promise<void> } = {},
): Promise<Clusters> {
  checkClusterSettings(settings, embeddings.length);
  const rows = embeddings.map((row) => Array.from(row));
  const rounds = kmeansGenerator(rows, settings.clusters, {
    seed: settings.seed,
    initialization: 'kmeans++',
    maxIterations: MAX_ITERATIONS,
  });
  let found: readonly number[] = [];
  let iteration = 0;
  for (const { clusters } of rounds) {
    found = clusters;
    iteration += 1;
    await onIteration?.(iteration);
    if (signal?.aborted) throw signal.reason ?? new JobCancelledError('Cancelled.');
  }
  const clusterOf = largestFirst(found, settings.clusters);
  return { clusterOf, picked: draw(clusterOf, settings), map: planeOf(rows) };
}

function largestFirst(clusterOf: readonly number[], count: number): readonly number[] {
  const sizes = new Array<number>(count).fill(0);
  for (const cluster of clusterOf) sizes[cluster]! += 1;
  const order = sizes.map((_, cluster) => cluster).sort((a, b) => sizes[b]! - sizes[a]!);
  const placeOf = new Map(order.map((cluster, place) => [cluster, place]));
  return clusterOf.map((cluster) => placeOf.get(cluster)!);
}

function draw(
  clusterOf: readonly number[],
  { clusters, perCluster, seed }: ClusterSettings,
): readonly number[] {
  const generator = new TorchGenerator(seed);
  const members = Array.from({ length: clusters }, (): number[] => []);
  for (const [prompt, cluster] of clusterOf.entries()) members[cluster]!.push(prompt);
  return members
    .flatMap((prompts) => {
      // Fisher–Yates, as far as it is needed.
      const count = Math.min(perCluster, prompts.length);
      for (let i = 0; i < count; i += 1) {
        const other = i + generator.randint(0, prompts.length - i, 1)[0]!;
        [prompts[i], prompts[other]] = [prompts[other]!, prompts[i]!];
      }
      return prompts.slice(0, count);
    })
    .sort((a, b) => a - b);
}

function planeOf(rows: number[][]): readonly (readonly [number, number])[] {
  const plane = new PCA(rows, { method: 'NIPALS', nCompNIPALS: 2 }).predict(rows, { nComponents: 2 });
  // A direction in which nothing differs has no numbers.
  const at = (row: number, axis: number): number => {
    const value = axis < plane.columns ? plane.get(row, axis) : 0;
    return Number.isFinite(value) ? value : 0;
  };
  return rows.map((_, i) => [at(i, 0), at(i, 1)]);
}
