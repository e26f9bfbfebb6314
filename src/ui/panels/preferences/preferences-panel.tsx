import { useEffect, useRef, useState } from 'react';
import type { PreferenceDataset } from '../../../engine/protocol-preferences';
import { Button, IconButton } from '../../components/button';
import { Dialog } from '../../components/dialog';
import { Icon } from '../../components/icons';
import { Notice } from '../../components/notice';
import { helpFor } from '../../stores/failure';
import { useEngine, useStudio } from '../../stores/studio-context';
import { CreateForm } from './create-form';
import { DatasetPane } from './dataset-view';
import styles from './preferences.module.css';
import { usePreferences } from './use-preferences';

/** Datasets of winner/loser pairs: made, looked at, heard, overruled, taken away. */
export function PreferencesPanel() {
  const { preferences } = useStudio();
  const datasets = usePreferences((state) => state.datasets);
  const openId = usePreferences((state) => state.openId);
  const runningId = usePreferences((state) => state.runningId);
  const progress = usePreferences((state) => state.progress);
  const failure = usePreferences((state) => state.failure);
  const ready = useEngine(({ status }) => status.state === 'ready');
  const [removing, setRemoving] = useState<PreferenceDataset | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const open = datasets?.find(({ id }) => id === openId);
  useEffect(() => {
    if (ready) void preferences.getState().refresh();
  }, [ready, preferences]);

  return (
    <div className={styles.panel}>
      <aside className={styles.aside} aria-label="Datasets">
        <div className={styles.row}>
          <h2 className={styles.title}>Preferences</h2>
          <Button size="small" disabled={runningId !== null} onClick={() => input.current?.click()}>
            Open pairs…
          </Button>
          {openId !== null && (
            <Button size="small" onClick={() => void preferences.getState().open(null)}>
              New
            </Button>
          )}
        </div>
        <input
          ref={input}
          type="file"
          hidden
          multiple
          aria-label="Files of pairs"
          onChange={({ currentTarget }) => {
            const files = [...(currentTarget.files ?? [])];
            currentTarget.value = '';
            if (files.length > 0) void preferences.getState().importFiles(files);
          }}
        />
        {runningId === '' && progress && (
          <p className={styles.quiet} role="status">
            {progress.stage === 'import' ? 'Reading' : 'Writing'} pair {progress.index + 1} of{' '}
            {progress.count}…
          </p>
        )}
        {datasets?.length === 0 && (
          <p className={styles.quiet}>
            None yet. Make one from prompts, or open a parquet of pairs, such as Audio-alpaca’s.
          </p>
        )}
        <ul className={styles.list}>
          {datasets?.map((dataset) => (
            <li key={dataset.id} className={dataset.id === openId ? styles.current : ''}>
              <button
                type="button"
                className={styles.open}
                aria-current={dataset.id === openId ? 'true' : undefined}
                onClick={() => void preferences.getState().open(dataset.id)}
              >
                <span>{dataset.name}</span>
                <span className={styles.quiet}>
                  {dataset.source === 'imported'
                    ? `${dataset.groupCount} ${dataset.groupCount === 1 ? 'pair' : 'pairs'} from a file`
                    : `${dataset.clipsMade} of ${dataset.clipCount} clips`}
                  {runningId === dataset.id ? ' · being made' : dataset.state === 'done' ? ' · done' : ''}
                </span>
              </button>
              <IconButton
                label={`Remove ${dataset.name}`}
                disabled={runningId === dataset.id}
                onClick={() => setRemoving(dataset)}
              >
                <Icon name="trash" />
              </IconButton>
            </li>
          ))}
        </ul>
      </aside>
      <div className={styles.content}>
        {failure && (
          <Notice kind="error" title={helpFor(failure.code).title}>
            <p>{failure.message}</p>
          </Notice>
        )}
        {open ? <DatasetPane key={open.id} dataset={open} /> : <CreateForm />}
      </div>
      {removing && (
        <Dialog title={`Remove ${removing.name}?`} alert onClose={() => setRemoving(null)}>
          <p>Its clips, scores and votes are deleted from this browser.</p>
          <div className={styles.row}>
            <Button onClick={() => setRemoving(null)}>Keep it</Button>
            <Button
              variant="danger"
              onClick={() => {
                void preferences.getState().remove(removing.id);
                setRemoving(null);
              }}
            >
              Remove
            </Button>
          </div>
        </Dialog>
      )}
    </div>
  );
}
