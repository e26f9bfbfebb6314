import { useEffect, useMemo, useState } from 'react';
import type { DatasetHealth, HealthIssue } from '../../../preferences/health/dataset-health';
import type { DatasetView } from '../../../preferences/selection/choose-pairs';
import { raterAgreement } from '../../../preferences/votes/agreement';
import { clapWinRate } from '../../../preferences/votes/win-rate';
import { useStudio } from '../../stores/studio-context';
import styles from './preferences.module.css';
import type { PairRow } from './queue';
import { usePreferences } from './use-preferences';

const ISSUES: Readonly<Record<HealthIssue, string>> = {
  silent: 'a sound below −60 dB',
  clipped: 'clipped samples',
  short: 'shorter than half a second',
  'duplicate-sound': 'the same sound twice',
  'duplicate-prompt': 'a caption written in two ways',
  'score-outlier': 'a score far from the others',
  'split-leak': 'a prompt in several splits',
};

/** What a researcher asks of a dataset before training on it. */
export function HealthView({
  view,
  rows,
}: {
  readonly view: DatasetView;
  readonly rows: readonly PairRow[];
}) {
  const { preferences } = useStudio();
  const votes = usePreferences((state) => state.votes);
  const [health, setHealth] = useState<DatasetHealth | null>(null);
  // The worker looks through the pairs: 15,000 captions are too many for the page.
  // biome-ignore lint/correctness/useExhaustiveDependencies: what is chosen changes with the selection and the votes
  useEffect(() => {
    let current = true;
    void preferences
      .getState()
      .health()
      .then((found) => {
        if (current && found) setHealth(found);
      });
    return () => {
      current = false;
    };
  }, [preferences, view, votes]);
  const rate = useMemo(
    () => clapWinRate(votes, new Map(rows.map(({ pair, clapSide }) => [pair.id, clapSide]))),
    [votes, rows],
  );
  const alpha = useMemo(() => raterAgreement(votes), [votes]);
  if (!health) return <p className={styles.quiet}>Looking through the pairs…</p>;
  const facts: readonly (readonly [string, string])[] = [
    ['Chosen pairs', `${health.pairs}, of ${health.prompts} prompts`],
    ['Splits by prompt', `${health.splits.train} to train, ${health.splits.validation} to validate`],
    ...(health.durationSeconds
      ? [
          [
            'Length',
            `${health.durationSeconds.min.toFixed(2)} … ${health.durationSeconds.max.toFixed(2)} s`,
          ] as const,
        ]
      : []),
    ...(rate.rate !== null
      ? [
          [
            'Ears say what CLAP says',
            `${Math.round(100 * rate.rate)} % of ${rate.votes} votes (95 %: ${rate.interval!.map((end) => Math.round(100 * end)).join('–')} %)`,
          ] as const,
        ]
      : []),
    ...(alpha !== null ? [['Raters agree', `Krippendorff’s α ${alpha.toFixed(2)}`] as const] : []),
    [
      'Most frequent events',
      health.concepts
        .slice(0, 6)
        .map(({ name, pairs }) => `${name} ${pairs}`)
        .join(', ') || 'none that are known',
    ],
    ...(health.conceptImbalance !== null
      ? [['Most to least frequent', `${health.conceptImbalance.toFixed(1)} to 1`] as const]
      : []),
  ];
  return (
    <div className={styles.selection}>
      <dl className={styles.facts}>
        {facts.map(([term, text]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      {health.findings.length === 0 ? (
        <p className={styles.quiet}>Nothing was found wrong with the chosen pairs.</p>
      ) : (
        <ul className={styles.reasons}>
          {health.findings.map(({ issue, pairIds }) => (
            <li key={issue}>
              <span>{ISSUES[issue]}</span> <span>{pairIds.length}</span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
