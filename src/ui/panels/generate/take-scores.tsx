import { useClap } from '../../stores/studio-context';
import styles from './take-scores.module.css';

export interface TakeScoresProps {
  readonly takeId: string;
  /** Models that score this take highest of its generation. */
  readonly bestBy: ReadonlySet<string>;
  /** Takes that the best was chosen of. */
  readonly takeCount: number;
}

/** What each CLAP says of a take, by name: how well it fits the prompt. */
export function TakeScores({ takeId, bestBy, takeCount }: TakeScoresProps) {
  const scores = useClap((state) => state.scores[takeId]);
  const waiting = useClap((state) => state.waiting.includes(takeId));
  const failure = useClap((state) => state.failure);
  if (!scores && waiting)
    return <p className={styles.waiting}>Scored against the prompt when the engine is free …</p>;
  if (!scores) return failure && <p className={styles.waiting}>Not scored: {failure.message}</p>;
  return (
    <dl className={styles.scores} aria-label="CLAP scores">
      {scores.map(({ modelId, modelName, score }) => (
        <div key={modelId} className={`${styles.score} ${bestBy.has(modelId) ? styles.best : ''}`}>
          <dt>{modelName}</dt>
          <dd>
            {score.toFixed(3)}
            {bestBy.has(modelId) && <span className={styles.mark}>best of {takeCount}</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}
