import { Composer } from './composer';
import styles from './generate-panel.module.css';
import { Results } from './results';

/** Left: what to make and how. Right: what was made. On a narrow screen one above the other. */
export function GeneratePanel() {
  return (
    <div className={styles.panel}>
      <Composer />
      <Results />
    </div>
  );
}
