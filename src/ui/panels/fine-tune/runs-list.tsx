import { useRef, useState } from 'react';
import type { TrainRun } from '../../../engine/protocol-training';
import { Button, IconButton } from '../../components/button';
import { Icon } from '../../components/icons';
import { RemoveQuestion } from '../../components/remove-question';
import { useFineTune, useStudio } from '../../stores/studio-context';
import { configDiff } from './config-diff';
import styles from './runs-list.module.css';

const states: Readonly<Record<TrainRun['state'], string>> = {
  running: 'training',
  stopped: 'stopped',
  done: 'done',
  imported: 'imported',
  newer: 'of a newer studio',
};

/** Every run and adapter of this browser. */
export function RunsList() {
  const { fineTune } = useStudio();
  const runs = useFineTune((state) => state.runs);
  const [removing, setRemoving] = useState<TrainRun | null>(null);
  const input = useRef<HTMLInputElement>(null);
  return (
    <section className={styles.section} aria-labelledby="runs-heading">
      <div className={styles.top}>
        <h2 id="runs-heading" className={styles.heading}>
          Runs
        </h2>
        <Button size="small" icon={<Icon name="folder" />} onClick={() => input.current?.click()}>
          Import an adapter…
        </Button>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          aria-label="Adapter files"
          onChange={({ currentTarget }) => {
            const files = [...(currentTarget.files ?? [])];
            currentTarget.value = '';
            if (files.length > 0) void fineTune.getState().importAdapter(files);
          }}
        />
      </div>
      {runs?.length === 0 && <p className={styles.facts}>No runs yet.</p>}
      <ul className={styles.list}>
        {runs?.map((run) => (
          <RunRow key={run.id} run={run} onRemove={() => setRemoving(run)} />
        ))}
      </ul>
      <ConfigDiff />
      {removing && (
        <RemoveQuestion
          name={removing.name}
          verb="Delete"
          onRemove={() => void fineTune.getState().remove(removing.id)}
          onClose={() => setRemoving(null)}
        >
          Its adapter, its curves and its samples are deleted from this browser. Exported files stay.
        </RemoveQuestion>
      )}
    </section>
  );
}

function RunRow({ run, onRemove }: { readonly run: TrainRun; readonly onRemove: () => void }) {
  const { fineTune } = useStudio();
  const selected = useFineTune((state) => state.selectedId === run.id);
  const compared = useFineTune((state) => state.comparedIds.includes(run.id));
  const running = run.state === 'running';
  const { select, compare, duplicate } = fineTune.getState();
  return (
    <li className={`${styles.run} ${selected ? styles.selected : ''}`}>
      <button
        type="button"
        className={styles.choose}
        aria-pressed={selected}
        onClick={() => void select(run.id)}
      >
        <span className={styles.name}>{run.name}</span>
        <span className={styles.facts}>
          {[
            states[run.state],
            run.stepCount > 0 && `step ${run.step} of ${run.stepCount}`,
            new Date(run.createdAt).toLocaleDateString('en', { month: 'short', day: 'numeric' }),
          ]
            .filter(Boolean)
            .join(' · ')}
        </span>
      </button>
      <div className={styles.tools}>
        {run.settings && !selected && (
          <label className={styles.compare}>
            <input
              type="checkbox"
              checked={compared}
              aria-label={`Compare ${run.name}`}
              onChange={(event) => void compare(run.id, event.target.checked)}
            />
            compare
          </label>
        )}
        {run.settings && (
          <IconButton
            size="small"
            label={`Duplicate ${run.name} as a new run`}
            onClick={() => duplicate(run.id)}
          >
            <Icon name="copy" />
          </IconButton>
        )}
        <IconButton size="small" label={`Delete ${run.name}`} disabled={running} onClick={onRemove}>
          <Icon name="trash" />
        </IconButton>
      </div>
    </li>
  );
}

/** In what the compared runs and the selected one differ. */
function ConfigDiff() {
  const runs = useFineTune((state) => state.runs);
  const selectedId = useFineTune((state) => state.selectedId);
  const comparedIds = useFineTune((state) => state.comparedIds);
  const shown = (runs ?? []).filter(({ id }) => id === selectedId || comparedIds.includes(id));
  if (comparedIds.length === 0 || shown.length < 2) return null;
  const rows = configDiff(shown);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keys
    <section className={styles.diff} aria-label="Differences" tabIndex={0}>
      <table>
        <caption>In what they differ</caption>
        <thead>
          <tr>
            <th scope="col">setting</th>
            {shown.map(({ id, name }) => (
              <th key={id} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, values }) => (
            <tr key={key}>
              <th scope="row">{key}</th>
              {values.map((value, i) => (
                <td key={shown[i]?.id}>{value}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === 0 && <p className={styles.facts}>Nothing but their time.</p>}
    </section>
  );
}
