import { useMemo, useState } from 'react';
import type { TrainRun } from '../../../engine/protocol-training';
import { useFineTune } from '../../stores/studio-context';
import { useShownTheme } from '../../theme/use-shown-theme';
import { type ChartSpec, type CurveOptions, charts, curvesOf, type XAxis } from './curves';
import { curveColour, LineChart } from './line-chart';
import styles from './run-view.module.css';

const axes: readonly { readonly value: XAxis; readonly label: string }[] = [
  { value: 'step', label: 'steps' },
  { value: 'epoch', label: 'epochs' },
  { value: 'time', label: 'minutes' },
];

/** The run's curves, live while it is trained, with those of the compared runs behind them. */
export function RunCharts({ run }: { readonly run: TrainRun }) {
  const [x, setX] = useState<XAxis>('step');
  const [smoothing, setSmoothing] = useState(0.6);
  const [log, setLog] = useState(false);
  const empty = useFineTune((state) => (state.histories[run.id]?.metrics.length ?? 0) === 0);
  return (
    <section className={styles.section} aria-labelledby="curves-heading">
      <div className={styles.sectionTop}>
        <h3 id="curves-heading" className={styles.sectionName}>
          Curves
        </h3>
        <div className={styles.controls}>
          <label>
            by
            <select
              value={x}
              onChange={({ target }) =>
                setX(axes.find(({ value }) => value === target.value)?.value ?? 'step')
              }
            >
              {axes.map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          </label>
          <label>
            smoothing
            <input
              type="range"
              min={0}
              max={0.98}
              step={0.02}
              value={smoothing}
              onChange={({ target }) => setSmoothing(Number(target.value))}
            />
          </label>
          <label>
            <input type="checkbox" checked={log} onChange={({ target }) => setLog(target.checked)} />
            log axis
          </label>
        </div>
      </div>
      {empty ? (
        <p className={styles.facts}>Nothing to draw before the first step.</p>
      ) : (
        <div className={styles.grid}>
          {charts.map((spec) => (
            <ChartCard key={spec.id} spec={spec} run={run} x={x} smoothing={smoothing} log={log} />
          ))}
        </div>
      )}
    </section>
  );
}

interface ChartCardProps extends CurveOptions {
  readonly spec: ChartSpec;
  readonly run: TrainRun;
  readonly log: boolean;
}

function ChartCard({ spec, run, x, smoothing, log }: ChartCardProps) {
  const theme = useShownTheme();
  const runs = useFineTune((state) => state.runs);
  const comparedIds = useFineTune((state) => state.comparedIds);
  const histories = useFineTune((state) => state.histories);
  const curves = useMemo(() => {
    const ids = [run.id, ...comparedIds.filter((id) => id !== run.id)];
    return ids.flatMap((id) => {
      const one = runs?.find((candidate) => candidate.id === id);
      const history = histories[id];
      return one && history ? curvesOf(spec, one, history, { x, smoothing }, id !== run.id) : [];
    });
  }, [spec, run.id, runs, comparedIds, histories, x, smoothing]);
  if (curves.length === 0) return null;
  return (
    <section className={styles.card} aria-label={spec.title}>
      <h4 className={styles.cardTitle}>{spec.title}</h4>
      <LineChart label={spec.title} curves={curves} log={log} level={spec.level?.value} />
      <ul className={styles.legend}>
        {curves.map(({ label, colour, dashed }) => (
          <li key={label}>
            <span
              className={`${styles.swatch} ${dashed ? styles.dashed : ''}`}
              style={{ color: curveColour(theme, colour) }}
            />
            {label}
          </li>
        ))}
        {spec.level && <li>dotted: {spec.level.label}</li>}
      </ul>
    </section>
  );
}
