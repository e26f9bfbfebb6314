import { Button } from '../../components/button';
import { Notice } from '../../components/notice';
import { ProgressBar } from '../../components/progress-bar';
import { helpFor } from '../../stores/failure';
import type { PoolWork } from '../../stores/pool-store';
import { useStudio } from '../../stores/studio-context';
import styles from './preferences.module.css';
import { timeText } from './time-text';
import { usePool } from './use-preferences';

const WORDS: Readonly<Record<PoolWork['stage'], string>> = {
  embed: 'Reading prompt',
  cluster: 'Round of K-means',
  write: 'Writing for prompt',
};

/** How far the pool's work is, in the place that began it. */
export function PoolProgress({ stages }: { readonly stages: readonly PoolWork['stage'][] }) {
  const { pool } = useStudio();
  const work = usePool((state) => state.work);
  if (!work || !stages.includes(work.stage)) return null;
  const { stage, index, count, remainingSeconds } = work;
  const loading = stage === 'embed' && index === 0;
  return (
    <div className={styles.row} role="status">
      <ProgressBar label={WORDS[stage]} fraction={stage === 'cluster' || loading ? null : index / count} />
      <span className={styles.quiet}>
        {loading ? 'Loading what embeds them' : `${WORDS[stage]} ${index + (stage === 'write' ? 1 : 0)}`}
        {stage !== 'cluster' && !loading && ` of ${count}`}
        {typeof remainingSeconds === 'number' && `, about ${timeText(remainingSeconds)} left`}
      </span>
      <Button size="small" onClick={() => pool.getState().stop()}>
        Stop
      </Button>
    </div>
  );
}

/** What went wrong with the pool. */
export function PoolFailure() {
  const failure = usePool((state) => state.failure);
  if (!failure) return null;
  return (
    <Notice kind="error" title={helpFor(failure.code).title}>
      <p>{failure.message}</p>
    </Notice>
  );
}
