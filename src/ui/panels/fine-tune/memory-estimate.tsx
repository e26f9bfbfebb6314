import { useEffect, useState } from 'react';
import type { TrainEstimate } from '../../../engine/protocol-training';
import { ProgressBar } from '../../components/progress-bar';
import { toFailure } from '../../stores/failure';
import { useFineTune, useModels, useStudio } from '../../stores/studio-context';
import styles from './setup-form.module.css';

/** Typing changes a field with every key; the engine is asked when it rests. */
const REST_MS = 400;

/** About what the run will take, by part, before it starts. */
export function MemoryEstimate({ valid }: { readonly valid: boolean }) {
  const { client } = useStudio();
  const settings = useFineTune((state) => state.draft.settings);
  const busy = useFineTune((state) => state.busy);
  const model = useModels((state) => state.current);
  const clips = useFineTune(({ draft, datasets, runs }) =>
    draft.dataOf
      ? runs?.find(({ id }) => id === draft.dataOf)?.durationSeconds
      : datasets?.find(({ id }) => id === draft.datasetId)?.durationSeconds,
  );
  const seconds = Math.min(clips ?? Number.POSITIVE_INFINITY, model?.maxDurationSeconds ?? 10.24);
  const [result, setResult] = useState<TrainEstimate | string | null>(null);
  useEffect(() => {
    if (!valid || !model || busy) return;
    const timer = setTimeout(() => {
      client.train
        .estimate(settings, seconds, model.id)
        .then(setResult)
        .catch((error: unknown) => setResult(toFailure(error).message));
    }, REST_MS);
    return () => clearTimeout(timer);
  }, [client, settings, model, seconds, valid, busy]);
  if (result === null) return null;
  if (typeof result === 'string') return <p className={styles.note}>{result}</p>;
  const { parts, totalBytes, limitBytes, parameterCount, advice } = result;
  return (
    <section className={styles.estimate} aria-label="Memory">
      <p className={styles.estimateTop}>
        <span>Memory, a rough estimate</span>
        <span>
          {size(totalBytes)}
          {limitBytes !== null && ` of ${size(limitBytes)}`}
        </span>
      </p>
      {limitBytes !== null && (
        <ProgressBar label="Memory of the run" fraction={Math.min(totalBytes / limitBytes, 1)} />
      )}
      <ul>
        {parts.map(({ label, bytes }) => (
          <li key={label} className={styles.part}>
            <span>{label}</span>
            <span>{size(bytes)}</span>
          </li>
        ))}
      </ul>
      <p>
        For clips of {seconds} s; {parameterCount.toLocaleString('en')} trained parameters.
      </p>
      {advice.map((line) => (
        <p key={line}>{line}</p>
      ))}
    </section>
  );
}

function size(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.max(1, Math.round(bytes / 1e6))} MB`;
}
