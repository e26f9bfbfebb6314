import { PROMPT_FIELD_ID } from '../../app/actions';
import { loadText } from '../../app/model-text';
import { Button } from '../../components/button';
import { ProgressBar } from '../../components/progress-bar';
import { useEngine, useModels, useSettings, useView } from '../../stores/studio-context';
import styles from './empty-state.module.css';
import { examplePrompts } from './examples';

/** The page before the first sound: what this is, and the shortest way to hear something. */
export function EmptyState() {
  const job = useModels((state) => state.job);
  const set = useSettings((state) => state.set);
  const openDialog = useView((state) => state.openDialog);
  const slow = useEngine(({ info }) => info?.backend === 'wasm' && info.backendChoice !== 'wasm');
  const [headline = ''] = examplePrompts;
  return (
    <div className={styles.empty}>
      <img src="./icon.svg" width={56} height={56} alt="" />
      <h2 className={styles.title}>Your sounds will be here</h2>
      <p className={styles.text}>
        Write what you want to hear and press Generate. The model runs on this machine: no prompt and no sound
        leaves it.
      </p>
      {job?.kind === 'load' ? (
        <div className={styles.loading}>
          <ProgressBar
            label="Loading the model"
            fraction={
              job.progress && job.progress.totalBytes > 0
                ? job.progress.loadedBytes / job.progress.totalBytes
                : null
            }
          />
          <p className={styles.hint}>{loadText(job.progress)}</p>
        </div>
      ) : (
        <Button
          onClick={() => {
            set({ prompt: headline });
            document.getElementById(PROMPT_FIELD_ID)?.focus();
          }}
        >
          Try “{headline}”
        </Button>
      )}
      {slow && (
        <p className={styles.hint}>
          It runs on WebAssembly, which is slower than a graphics card.{' '}
          <button type="button" className={styles.link} onClick={() => openDialog('engine')}>
            What to do
          </button>
        </p>
      )}
    </div>
  );
}
