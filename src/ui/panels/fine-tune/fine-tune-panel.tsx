import { useEffect } from 'react';
import { useEngine, useFineTune } from '../../stores/studio-context';
import styles from './fine-tune-panel.module.css';
import { RunView } from './run-view';
import { RunsList } from './runs-list';
import { SetupForm } from './setup-form';

/** Left: what to train and how, and the runs there are. Right: the chosen run, live or as it was. */
export function FineTunePanel() {
  const ready = useEngine(({ status }) => status.state === 'ready');
  const refresh = useFineTune((state) => state.refresh);
  useEffect(() => {
    if (ready) void refresh();
  }, [ready, refresh]);
  return (
    <div className={styles.panel}>
      <div className={styles.side}>
        <SetupForm />
        <RunsList />
      </div>
      <RunView />
    </div>
  );
}
