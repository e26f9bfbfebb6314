import { useEffect, useRef, useState } from 'react';
import { lineageOf } from '../../../engine/lineage';
import type { TrainRun } from '../../../engine/protocol-training';
import { Button } from '../../components/button';
import fieldStyles from '../../components/field.module.css';
import { Icon } from '../../components/icons';
import { LineageChain } from '../../components/lineage-chain';
import { Notice } from '../../components/notice';
import { ProgressBar } from '../../components/progress-bar';
import { type Failure, helpFor, toFailure } from '../../stores/failure';
import { useFineTune, useStudio } from '../../stores/studio-context';
import { type ExportKind, exportKinds, exportLabels, exportRun, saveFile } from './export-run';
import { PairXray } from './pair-xray';
import { RunCharts } from './run-charts';
import { runStageText, runTimeLeft } from './run-text';
import styles from './run-view.module.css';
import { SampleTimeline } from './sample-timeline';

/** The chosen run: where it stands, its curves, its sounds, its pairs. */
export function RunView() {
  const progress = useFineTune((state) => state.progress);
  const run = useFineTune(({ runs, selectedId }) => runs?.find(({ id }) => id === selectedId) ?? null);
  return (
    <section className={styles.view} aria-label="Run">
      <FailureNotice />
      <ResumeOffer />
      {progress && <RunningBar />}
      {run ? <Run key={run.id} run={run} /> : !progress && <Empty />}
    </section>
  );
}

function Empty() {
  return (
    <div className={styles.empty}>
      <Icon name="spark" size={28} />
      <p className={styles.emptyTitle}>A model learns what you prefer</p>
      <p>
        Choose pairs and a recipe, then start. The adapter is trained in this tab, step by step between other
        work; close the laptop and go on tomorrow.
      </p>
    </div>
  );
}

function FailureNotice() {
  const { fineTune } = useStudio();
  const failure = useFineTune((state) => state.failure);
  if (!failure) return null;
  return (
    <Notice
      kind="error"
      title={failureTitle(failure)}
      actions={
        <Button size="small" onClick={() => fineTune.getState().dismissFailure()}>
          Dismiss
        </Button>
      }
    >
      <p>{failure.message}</p>
      {failure.code !== 'invalid-input' && (
        <p>The run stands at its last checkpoint; nothing before it is lost.</p>
      )}
    </Notice>
  );
}

function failureTitle({ code }: Failure): string {
  if (code === 'non-finite') return 'The run diverged';
  return code === 'invalid-input' ? 'This cannot be trained' : helpFor(code).title;
}

/** A run that a closed tab, a crash or a pause left in the middle. */
function ResumeOffer() {
  const { fineTune } = useStudio();
  const busy = useFineTune((state) => state.busy);
  const run = useFineTune(({ runs }) =>
    runs?.some(({ state }) => state === 'running')
      ? null
      : (runs?.find(({ state, step, stepCount }) => state === 'stopped' && step < stepCount) ?? null),
  );
  if (!run || busy) return null;
  return (
    <Notice
      kind={run.failure ? 'warning' : 'info'}
      title={`“${run.name}” stands at step ${run.step} of ${run.stepCount}`}
      actions={
        <Button size="small" variant="primary" onClick={() => void fineTune.getState().resume(run.id)}>
          Go on
        </Button>
      }
    >
      <p>{run.failure ?? 'It goes on from its checkpoint as if there had been no break.'}</p>
    </Notice>
  );
}

function RunningBar() {
  const { fineTune } = useStudio();
  const progress = useFineTune((state) => state.progress);
  const pausing = useFineTune((state) => state.pausing);
  const wasHidden = useFineTune((state) => state.wasHidden);
  const ref = useRef<HTMLDivElement>(null);
  // On a narrow screen the run stands below the form that started it.
  useEffect(() => {
    ref.current?.scrollIntoView({ block: 'center' });
  }, []);
  if (!progress) return null;
  const { pause, cancel } = fineTune.getState();
  return (
    <div ref={ref} className={styles.running}>
      <div className={styles.runningText}>
        <span className={styles.stage}>{pausing ? 'Pausing after this step…' : runStageText(progress)}</span>
        <span>{runTimeLeft(progress.remainingSeconds)}</span>
      </div>
      <ProgressBar label="Training" fraction={progress.count > 0 ? progress.index / progress.count : null} />
      <div className={styles.buttons}>
        <Button size="small" icon={<Icon name="pause" />} disabled={pausing} onClick={() => void pause()}>
          Pause
        </Button>
        <Button size="small" icon={<Icon name="stop" />} onClick={cancel}>
          Stop now
        </Button>
        <span className={styles.facts}>
          {wasHidden
            ? 'This tab was in the background, where browsers may slow it down; a checkpoint was kept.'
            : 'The screen stays on while this tab is seen. Stopping goes back to the last checkpoint.'}
        </span>
      </div>
    </div>
  );
}

function Run({ run }: { readonly run: TrainRun }) {
  const isActive = useFineTune((state) => state.progress?.runId === run.id);
  if (run.state === 'newer') {
    return (
      <Notice kind="info" title={`“${run.name}” is of a newer studio`}>
        <p>{run.failure}</p>
      </Notice>
    );
  }
  return (
    <>
      <RunHeader run={run} />
      {run.settings && (
        <>
          <RunCharts run={run} />
          <SampleTimeline run={run} />
          {!isActive && <PairXray run={run} />}
        </>
      )}
    </>
  );
}

function RunHeader({ run }: { readonly run: TrainRun }) {
  const studio = useStudio();
  const busy = useFineTune((state) => state.busy);
  const [notes, setNotes] = useState(run.notes);
  const [exporting, setExporting] = useState<string | null>(null);
  const usable = run.state === 'imported' || run.step > 0;

  function openInGenerate(): void {
    studio.settings.getState().set({ adapters: [{ id: run.id, strength: 1 }] });
    studio.view.getState().showPanel('generate');
    studio.view.getState().announce(`Generate uses the adapter ${run.name}.`);
  }

  async function onExport(kind: ExportKind): Promise<void> {
    setExporting('Writing the file…');
    try {
      saveFile(await exportRun(studio.client.train, run, kind));
      setExporting(null);
    } catch (error) {
      setExporting(toFailure(error).message);
    }
  }

  return (
    <header className={styles.header}>
      <div className={styles.titleRow}>
        <h2 className={styles.title}>{run.name}</h2>
        <div className={styles.buttons}>
          <Button variant="primary" disabled={!usable} icon={<Icon name="spark" />} onClick={openInGenerate}>
            Use in Generate
          </Button>
          <select
            className={`${fieldStyles.input} ${styles.export}`}
            aria-label="Export"
            value=""
            disabled={!usable || busy}
            onChange={({ target }) => void onExport(target.value as ExportKind)}
          >
            <option value="" disabled>
              Export…
            </option>
            {exportKinds(run).map((kind) => (
              <option key={kind} value={kind}>
                {exportLabels[kind]}
              </option>
            ))}
          </select>
        </div>
      </div>
      {exporting && (
        <p className={styles.facts} role="status">
          {exporting}
        </p>
      )}
      <LineageChain
        made={[
          'sound',
          `${run.settings?.trains === 'unet' ? 'UNet' : 'adapter'} of ${run.parameterCount.toLocaleString('en')} parameters`,
        ]}
        lineage={lineageOf(run)}
      />
      {run.remarks?.map((remark) => (
        <p key={remark} className={styles.facts}>
          {remark}
        </p>
      ))}
      <label className={styles.notes}>
        <span className={fieldStyles.label}>Notes</span>
        <textarea
          className={fieldStyles.input}
          rows={1}
          value={notes}
          onChange={(event) => setNotes(event.target.value)}
          onBlur={() => {
            if (notes !== run.notes) void studio.fineTune.getState().describe(run.id, { notes });
          }}
        />
      </label>
    </header>
  );
}
