import { type PointerEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { PromptClusters } from '../../../engine/protocol-preferences';
import { CLUSTER_DEFAULTS } from '../../../preferences/prompt-pool/cluster-prompts';
import { Button } from '../../components/button';
import { Field } from '../../components/field';
import { NumberInput } from '../../components/number-input';
import { useStudio } from '../../stores/studio-context';
import { EmbeddingsField, useEmbeddingChoices } from './embeddings-field';
import { PoolProgress } from './pool-progress';
import styles from './preferences.module.css';
import { usePool } from './use-preferences';

/** A balanced part of many prompts: K-means, a map to look at, as many from each cluster. */
export function PromptClustersSection({ prompts }: { readonly prompts: readonly string[] }) {
  const { pool } = useStudio();
  const clusters = usePool((state) => state.clusters);
  const before = usePool((state) => state.before);
  const busy = usePool((state) => state.work !== null);
  const [settings, setSettings] = useState(() => ({
    ...CLUSTER_DEFAULTS,
    clusters: Math.min(CLUSTER_DEFAULTS.clusters, Math.max(2, Math.round(prompts.length / 10))),
  }));
  const choices = useEmbeddingChoices();
  const [wanted, setWanted] = useState<string>();
  // What was removed meanwhile is chosen no more.
  const embeddings = choices.find(({ id }) => id === wanted)?.id;
  return (
    <details className={styles.fold}>
      <summary>Pick a balanced part</summary>
      <p className={styles.quiet}>
        K-means over embeddings of the prompts, then as many prompts from each cluster. The paper takes 70
        from each of 200.
      </p>
      <EmbeddingsField choices={choices} value={embeddings} onChange={setWanted} />
      <div className={styles.numbers}>
        {(
          [
            ['clusters', 'Clusters'],
            ['perCluster', 'From each'],
            ['seed', 'Seed of the draw'],
          ] as const
        ).map(([key, label]) => (
          <Field key={key} id={`clusters-${key}`} label={label}>
            <NumberInput
              id={`clusters-${key}`}
              inputMode="numeric"
              value={settings[key]}
              invalid={Number.isNaN(settings[key])}
              onChange={(value) => setSettings((now) => ({ ...now, [key]: value }))}
            />
          </Field>
        ))}
      </div>
      <div className={styles.row}>
        <Button
          disabled={prompts.length < 2 || busy}
          onClick={() => void pool.getState().cluster(prompts, settings, embeddings)}
        >
          Cluster {prompts.length} prompts
        </Button>
        {clusters && (
          <Button variant="primary" onClick={() => pool.getState().keepPicked()}>
            Keep the {clusters.picked.length} picked
          </Button>
        )}
        {before !== null && <Button onClick={() => pool.getState().undoPicked()}>Back to all prompts</Button>}
      </div>
      <PoolProgress stages={['embed', 'cluster']} />
      {clusters && <ClusterMap clusters={clusters} />}
    </details>
  );
}

const MAP_PIXELS = 320;
const MARGIN = 10;

/** Every prompt as a dot, near to those that are alike to what embedded them; the picked ones are full, the others pale. */
function ClusterMap({
  clusters,
}: {
  readonly clusters: PromptClusters & { readonly prompts: readonly string[] };
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const { clusterOf, picked, map, prompts, modelName } = clusters;
  const width = 2 * MAP_PIXELS;
  const points = useMemo(() => {
    const [xs, ys] = [map.map(([x]) => x), map.map(([, y]) => y)];
    const scale = (values: readonly number[], pixels: number): readonly number[] => {
      const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
      const high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
      return values.map((value) => MARGIN + ((value - low) / (high - low || 1)) * (pixels - 2 * MARGIN));
    };
    const [left, top] = [scale(xs, width), scale(ys, MAP_PIXELS)];
    return left.map((x, i) => [x, top[i]!] as const);
  }, [map, width]);

  useEffect(() => {
    const context = canvas.current?.getContext('2d');
    if (!context) return;
    context.clearRect(0, 0, width, MAP_PIXELS);
    const chosen = new Set(picked);
    // The golden angle: neighbours in size get colours far apart.
    const colour = (cluster: number): string => `hsl(${(cluster * 137.5) % 360} 65% 55%)`;
    for (const full of [false, true]) {
      context.globalAlpha = full ? 1 : 0.25;
      for (const [i, [x, y]] of points.entries()) {
        if (chosen.has(i) !== full) continue;
        context.fillStyle = colour(clusterOf[i]!);
        context.beginPath();
        context.arc(x, y, points.length > 2000 ? 2 : 4, 0, 2 * Math.PI);
        context.fill();
      }
    }
    const hovered = at === null ? null : points[at];
    if (!hovered) return;
    context.globalAlpha = 1;
    context.strokeStyle = 'currentColor';
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(context.canvas).color;
    context.beginPath();
    context.arc(hovered[0], hovered[1], 7, 0, 2 * Math.PI);
    context.stroke();
  }, [points, picked, clusterOf, at, width]);

  function nearest({ clientX, clientY, currentTarget }: PointerEvent): number {
    const area = currentTarget.getBoundingClientRect();
    const [x, y] = [
      ((clientX - area.left) / area.width) * width,
      ((clientY - area.top) / area.height) * MAP_PIXELS,
    ];
    let best = 0;
    let least = Number.POSITIVE_INFINITY;
    for (const [i, [px, py]] of points.entries()) {
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least) [best, least] = [i, distance];
    }
    return best;
  }

  const sizes = clusterOf.reduce(
    (all, cluster) => all.set(cluster, (all.get(cluster) ?? 0) + 1),
    new Map<number, number>(),
  );
  return (
    <figure className={styles.map}>
      <canvas
        ref={canvas}
        width={width}
        height={MAP_PIXELS}
        role="img"
        aria-label={`Map of ${prompts.length} prompts in ${sizes.size} clusters; ${picked.length} are picked`}
        onPointerMove={(event) => setAt(nearest(event))}
        onPointerLeave={() => setAt(null)}
      />
      <figcaption className={styles.quiet}>
        {at === null
          ? `${picked.length} of ${prompts.length} prompts picked from ${sizes.size} clusters (largest ${sizes.get(0)}), by ${modelName}. Point at a dot to read it.`
          : `Cluster ${clusterOf[at]! + 1} of ${sizes.size}: ${prompts[at]}`}
      </figcaption>
      <details>
        <summary>The clusters in words</summary>
        <ol className={styles.clusters}>
          {[...sizes.keys()]
            .sort((a, b) => a - b)
            .slice(0, 50)
            .map((cluster) => (
              <li key={cluster}>
                <strong>{sizes.get(cluster)}</strong> {prompts[clusterOf.indexOf(cluster)]}
              </li>
            ))}
        </ol>
      </details>
    </figure>
  );
}
