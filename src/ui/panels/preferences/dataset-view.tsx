import { useMemo, useState } from 'react';
import type { PreferenceDataset, PreferenceExportFormat } from '../../../engine/protocol-preferences';
import { type ChoiceFilter, viewDataset } from '../../../preferences/selection/choose-pairs';
import { Button } from '../../components/button';
import { Notice } from '../../components/notice';
import { ProgressBar } from '../../components/progress-bar';
import { useStudio } from '../../stores/studio-context';
import { ExportDialog } from './export-dialog';
import { HealthView } from './health-view';
import { ListenView } from './listen-view';
import { facetReader } from './pair-filter';
import { FIRST_LOOK, PairTable } from './pair-table';
import styles from './preferences.module.css';
import { pairRows } from './queue';
import { SelectionView } from './selection-view';
import { timeText } from './time-text';
import { usePreferences } from './use-preferences';

type Tab = 'selection' | 'pairs' | 'listen' | 'health';
const TABS = [
  { value: 'selection', label: 'Selection' },
  { value: 'pairs', label: 'Pairs' },
  { value: 'listen', label: 'Listen' },
  { value: 'health', label: 'Health' },
] as const;
export function DatasetPane({ dataset }: { readonly dataset: PreferenceDataset }) {
  const { preferences } = useStudio();
  const groups = usePreferences((state) => state.groups);
  const votes = usePreferences((state) => state.votes);
  const runningId = usePreferences((state) => state.runningId);
  const progress = usePreferences((state) => state.progress);
  const [tab, setTab] = useState<Tab>('selection');
  const [chosenId, setChosenId] = useState<string | null>(null);
  const [exporting, setExporting] = useState(false);
  const [look, setLook] = useState(FIRST_LOOK);
  const [facetsOf] = useState(facetReader);
  const view = useMemo(() => viewDataset(groups, dataset), [groups, dataset]);
  const rows = useMemo(() => pairRows(view, groups, votes), [view, groups, votes]);
  const running = runningId === dataset.id;
  const made = running && progress ? progress.index : dataset.clipsMade;

  async function save(format: PreferenceExportFormat, filter: ChoiceFilter): Promise<void> {
    const file = await preferences.getState().exportFile(format, filter);
    if (!file) return;
    const link = document.createElement('a');
    link.href = URL.createObjectURL(file.blob);
    link.download = file.path;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  return (
    <section className={styles.dataset} aria-labelledby="dataset-heading">
      <div className={styles.row}>
        <h3 id="dataset-heading" className={styles.title}>
          {dataset.name}
        </h3>
        {running ? (
          <Button onClick={() => void preferences.getState().pause()}>Pause</Button>
        ) : (
          dataset.state !== 'done' && (
            <Button
              variant="primary"
              disabled={runningId !== null}
              onClick={() => void preferences.getState().run(dataset.id)}
            >
              {dataset.clipsMade === 0 ? 'Make the clips' : made < dataset.clipCount ? 'Go on' : 'Score'}
            </Button>
          )
        )}
      </div>
      <p className={styles.quiet}>
        {made} of {dataset.clipCount} clips · {dataset.promptCount} prompts
        {running &&
          progress?.remainingSeconds != null &&
          ` · about ${timeText(progress.remainingSeconds)} left`}
        {running &&
          progress?.prompt &&
          ` · ${progress.stage === 'score' ? 'scoring' : 'making'} “${progress.prompt}”`}
      </p>
      {running && (
        <ProgressBar label={`Making ${dataset.name}`} fraction={made / Math.max(dataset.clipCount, 1)} />
      )}
      {dataset.failure && !running && (
        <Notice kind="warning" title="It stopped before its end">
          <p>{dataset.failure}</p>
        </Notice>
      )}
      {dataset.leftOut && (
        <Notice
          kind="warning"
          title={`${dataset.leftOut.pairCount} ${dataset.leftOut.pairCount === 1 ? 'pair was' : 'pairs were'} left out`}
        >
          <ul>
            {dataset.leftOut.reasons.map((reason) => (
              <li key={reason}>{reason}</li>
            ))}
          </ul>
          {dataset.leftOut.pairCount > dataset.leftOut.reasons.length && <p>These are the first ones.</p>}
        </Notice>
      )}
      {/* Buttons, not radio buttons: those take the arrow keys, which vote. */}
      <nav className={styles.tabs} aria-label="Views of the dataset">
        {TABS.map(({ value, label }) => (
          <button
            key={value}
            type="button"
            aria-current={value === tab ? 'true' : undefined}
            onClick={() => setTab(value)}
          >
            {label}
          </button>
        ))}
      </nav>
      {tab === 'selection' && <SelectionView dataset={dataset} view={view} />}
      {tab === 'pairs' && (
        <PairTable
          rows={rows}
          facetsOf={facetsOf}
          look={look}
          onLook={setLook}
          onOpen={(pairId) => {
            setChosenId(pairId);
            setTab('listen');
          }}
        />
      )}
      {tab === 'listen' && <ListenView rows={rows} chosenId={chosenId} onDone={() => setChosenId(null)} />}
      {tab === 'health' && <HealthView view={view} rows={rows} />}
      <div className={styles.row}>
        <Button disabled={runningId !== null} onClick={() => setExporting(true)}>
          Take the chosen pairs away…
        </Button>
      </div>
      {exporting && (
        <ExportDialog
          view={view}
          onClose={() => setExporting(false)}
          onExport={(format, filter) => {
            setExporting(false);
            void save(format, filter);
          }}
        />
      )}
    </section>
  );
}
