import { useState } from 'react';
import type { ExaminedPair, TrainRun } from '../../../engine/protocol-training';
import { Button } from '../../components/button';
import { ProgressBar } from '../../components/progress-bar';
import { toFailure } from '../../stores/failure';
import { useFineTune, useStudio } from '../../stores/studio-context';
import { shortNumber } from './line-chart';
import { type PairRow, pairRows } from './pair-margins';
import styles from './run-view.module.css';

/** Shares of the noising process, clean to noise. */
const LEVELS = [0.1, 0.3, 0.5, 0.7, 0.9] as const;
const FIRST_ROWS = 12;

/** What the adapter makes of each pair at each noise level, worst first: wrong labels and hard pairs stand on top. */
export function PairXray({ run }: { readonly run: TrainRun }) {
  const { client, player } = useStudio();
  const metrics = useFineTune((state) => state.histories[run.id]?.metrics);
  const busy = useFineTune((state) => state.busy);
  const [examined, setExamined] = useState<readonly ExaminedPair[] | null>(null);
  const [fraction, setFraction] = useState<number | null>(null);
  const [message, setMessage] = useState<string | null>(null);
  const [all, setAll] = useState(false);
  const rows = examined ? pairRows(examined, metrics ?? []) : [];

  async function examine(): Promise<void> {
    setFraction(0);
    setMessage(null);
    try {
      setExamined(
        await client.train.examine(run.id, LEVELS, {
          onProgress: ({ index, count }) => setFraction(index / count),
        }),
      );
    } catch (error) {
      setMessage(toFailure(error).message);
    } finally {
      setFraction(null);
    }
  }

  async function hear(pair: number, half: 'winner' | 'loser'): Promise<void> {
    try {
      const clip = (await client.train.listen(run.id, pair))[half];
      await player.getState().toggle({ ...clip, id: `pair-${run.id}-${pair}-${half}` });
    } catch (error) {
      setMessage(toFailure(error).message);
    }
  }

  return (
    <section className={styles.section} aria-labelledby="pairs-heading">
      <div className={styles.sectionTop}>
        <h3 id="pairs-heading" className={styles.sectionName}>
          Pair X-ray
        </h3>
        <Button size="small" disabled={fraction !== null || busy} onClick={() => void examine()}>
          {examined ? 'Measure again' : `Measure all ${run.pairCount} pairs`}
        </Button>
      </div>
      {fraction !== null && <ProgressBar label="Measuring pairs" fraction={fraction} />}
      {message && <p role="alert">{message}</p>}
      {!examined && fraction === null && (
        <p className={styles.facts}>
          The margin of every pair under this adapter, by noise level; below zero it still prefers the loser.
        </p>
      )}
      {examined && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls has to be reachable by keys
        <section className={styles.table} aria-label="Margins of the pairs" tabIndex={0}>
          <table>
            <thead>
              <tr>
                <th scope="col" className={styles.wide}>
                  Pair
                </th>
                <th scope="col">mean</th>
                {LEVELS.map((level) => (
                  <th key={level} scope="col">
                    t {level * 1000}
                  </th>
                ))}
                <th scope="col">in training</th>
                <th scope="col">hear</th>
              </tr>
            </thead>
            <tbody>
              {rows.slice(0, all ? rows.length : FIRST_ROWS).map((row) => (
                <XrayRow key={row.id} row={row} onHear={(half) => void hear(row.pair, half)} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {!all && rows.length > FIRST_ROWS && (
        <Button size="small" variant="ghost" onClick={() => setAll(true)}>
          Show all {rows.length}
        </Button>
      )}
    </section>
  );
}

interface XrayRowProps {
  readonly row: PairRow;
  readonly onHear: (half: 'winner' | 'loser') => void;
}

function XrayRow({ row, onHear }: XrayRowProps) {
  const { prompt, heldOut, mean, margins, history, id } = row;
  return (
    <tr>
      <th scope="row" className={styles.wide}>
        {prompt}
        {heldOut && <span className={styles.facts}> · held out</span>}
      </th>
      <Margin value={mean} />
      {margins.map((margin, i) => (
        <Margin key={LEVELS[i]} value={margin} />
      ))}
      <td>
        {history.length === 0
          ? '–'
          : history
              .slice(-4)
              .map(({ step, margin }) => `${step}: ${shortNumber(margin)}`)
              .join('  ')}
      </td>
      <td>
        <span className={styles.hear}>
          <Button
            size="small"
            aria-label={`Hear the winner of ${prompt} (${id})`}
            onClick={() => onHear('winner')}
          >
            winner
          </Button>
          <Button
            size="small"
            aria-label={`Hear the loser of ${prompt} (${id})`}
            onClick={() => onHear('loser')}
          >
            loser
          </Button>
        </span>
      </td>
    </tr>
  );
}

function Margin({ value }: { readonly value: number }) {
  return <td className={value < 0 ? styles.worse : value > 0 ? styles.better : ''}>{shortNumber(value)}</td>;
}
