import { useMemo, useState } from 'react';
import type { PreferenceDataset } from '../../../engine/protocol-preferences';
import type { DatasetView } from '../../../preferences/selection/choose-pairs';
import {
  defaultSelection,
  filterByEnsemble,
  type ModelBounds,
  paperSelection,
  resolveBounds,
  type SelectionSettings,
} from '../../../preferences/selection/ensemble-filter';
import { pairStatistics } from '../../../preferences/selection/pair-statistics';
import { Button } from '../../components/button';
import { useStudio } from '../../stores/studio-context';
import { HistogramBounds } from './histogram-bounds';
import styles from './preferences.module.css';

const REASONS = {
  'winner-below': 'winner below α',
  'loser-below': 'loser below β',
  'delta-below': 'Δ too small',
  'delta-above': 'Δ too large',
  'no-score': 'no score',
  'not-made': 'clip not made yet',
  'not-scored': 'not scored yet',
  'loser-scores-higher': 'loser scores at least as high',
  'same-sound': 'both sounds are the same',
} as const;

export interface SelectionViewProps {
  readonly dataset: PreferenceDataset;
  readonly view: DatasetView;
}

/** The paper's Fig. 2 and Table 2 for this dataset, with bounds to move. */
export function SelectionView({ dataset, view }: SelectionViewProps) {
  const { preferences } = useStudio();
  const [draft, setDraft] = useState<SelectionSettings | null>(null);
  const settings = draft ?? view.settings;
  const bounds = useMemo(() => resolveBounds(view.pairs, settings), [view.pairs, settings]);
  const { accepted, rejected } = useMemo(
    () => (draft ? filterByEnsemble(view.pairs, draft) : view),
    [view, draft],
  );
  const reasons = useMemo(() => {
    const counts = new Map<string, number>();
    const count = (reason: string): void => void counts.set(reason, (counts.get(reason) ?? 0) + 1);
    for (const { reason } of view.unformed) count(REASONS[reason]);
    for (const { failed } of rejected) {
      for (const { modelId, reason } of failed) {
        const name = dataset.clapModels.find(({ id }) => id === modelId)?.name ?? modelId;
        count(`${REASONS[reason]} (${name})`);
      }
    }
    return [...counts].sort((a, b) => b[1] - a[1]);
  }, [view.unformed, rejected, dataset.clapModels]);

  /** A bound that is dragged is a score: percentiles become the scores they stand for. */
  function change(modelId: string, part: Partial<ModelBounds>): void {
    setDraft({
      mode: 'values',
      bounds: bounds.map((one) => (one.modelId === modelId ? { ...one, ...part } : one)),
    });
  }
  function keep(selection: SelectionSettings | null): void {
    setDraft(null);
    void preferences.getState().select({ selection });
  }

  if (dataset.clapModels.length === 0) {
    return <p className={styles.quiet}>No CLAP has scored these sounds yet: run the dataset.</p>;
  }
  return (
    <div className={styles.selection}>
      <div className={styles.row}>
        <p className={styles.count} aria-live="polite">
          <strong>{accepted.length}</strong> of {view.pairs.length} pairs within the bounds
        </p>
        <Button size="small" onClick={() => keep(paperSelection(dataset.clapModels))}>
          Paper’s values
        </Button>
        <Button size="small" onClick={() => keep(defaultSelection(dataset.clapModels))}>
          {defaultSelection(dataset.clapModels).mode === 'percentiles' ? 'Percentiles' : 'Defaults'}
        </Button>
        {draft && (
          <Button size="small" variant="primary" onClick={() => keep(draft)}>
            Keep these bounds
          </Button>
        )}
      </div>
      {bounds.map((one) => {
        const { modelId } = one;
        const of = (which: 'winner' | 'loser') =>
          view.pairs.map((pair) => pair[which].scores[modelId] ?? Number.NaN);
        return (
          <fieldset key={modelId} className={styles.model}>
            <legend>{dataset.clapModels.find(({ id }) => id === modelId)?.name}</legend>
            <HistogramBounds
              label="α, winner’s score"
              values={of('winner')}
              bounds={[one.winnerAtLeast]}
              onChange={([winnerAtLeast]) => change(modelId, { winnerAtLeast: winnerAtLeast! })}
            />
            <HistogramBounds
              label="β, loser’s score"
              values={of('loser')}
              bounds={[one.loserAtLeast]}
              onChange={([loserAtLeast]) => change(modelId, { loserAtLeast: loserAtLeast! })}
            />
            <HistogramBounds
              label="Δ, winner − loser"
              values={view.pairs.map(({ deltas }) => deltas[modelId] ?? Number.NaN)}
              bounds={[one.deltaAtLeast, one.deltaAtMost]}
              onChange={([deltaAtLeast, deltaAtMost]) =>
                change(modelId, { deltaAtLeast: deltaAtLeast!, deltaAtMost: deltaAtMost! })
              }
            />
          </fieldset>
        );
      })}
      <table className={styles.table}>
        <caption>
          Accepted pairs by strategy, scored by{' '}
          {dataset.clapModels.find(({ id }) => id === view.rankingModelId)?.name}
        </caption>
        <thead>
          <tr>
            {['Strategy', 'Pairs', 'Mean winner', 'Mean loser', 'Mean Δ'].map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {pairStatistics(accepted, view.rankingModelId ?? '').map((row) => (
            <tr key={row.strategy}>
              <th scope="row">{row.strategy}</th>
              <td>{row.pairs}</td>
              {[row.meanWinner, row.meanLoser, row.meanDelta].map((value, i) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: three columns
                <td key={i}>{Number.isNaN(value) ? '–' : value.toFixed(3)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {reasons.length > 0 && (
        <div>
          <h4 className={styles.small}>Why pairs are left out</h4>
          <ul className={styles.reasons}>
            {reasons.map(([reason, count]) => (
              <li key={reason}>
                <span>{reason}</span> <span>{count}</span>
              </li>
            ))}
          </ul>
        </div>
      )}
    </div>
  );
}
