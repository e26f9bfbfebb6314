import { useAction } from '../../app/use-action';
import { Button } from '../../components/button';
import { Icon } from '../../components/icons';
import { ProgressBar } from '../../components/progress-bar';
import { useGenerations } from '../../stores/studio-context';
import styles from './generate-bar.module.css';
import { percent, stageText, timeLeftText } from './progress-text';

/** The one button that matters, always in sight; while a generation runs, its progress and the way to stop it. */
export function GenerateBar() {
  const generate = useAction('generate');
  const cancel = useAction('cancel');
  const running = useGenerations(({ generations, runningId }) =>
    runningId === null ? undefined : generations.find(({ id }) => id === runningId),
  );

  if (!running) {
    return (
      <div className={styles.bar}>
        <Button type="submit" variant="primary" size="large" disabled={!generate.enabled}>
          Generate
          <kbd className={styles.shortcut}>{generate.shortcut}</kbd>
        </Button>
      </div>
    );
  }
  const fraction = running.progress?.fraction ?? null;
  return (
    <div className={styles.bar}>
      <div className={styles.running}>
        <div className={styles.text}>
          <span className={styles.stage}>{stageText(running.progress)}</span>
          <span>
            {[fraction === null ? '' : percent(fraction), timeLeftText(running.progress)]
              .filter(Boolean)
              .join(' · ')}
          </span>
        </div>
        <ProgressBar label="Generation" fraction={fraction} />
      </div>
      <Button
        size="large"
        icon={<Icon name="stop" />}
        onClick={cancel.run}
        aria-keyshortcuts={cancel.shortcut}
      >
        Cancel
      </Button>
    </div>
  );
}
