import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import fieldStyles from '../../components/field.module.css';
import styles from './preferences.module.css';
import type { PairRow } from './queue';

const ROW_PIXELS = 40;
const COLUMNS = [
  { id: 'prompt', label: 'Prompt', value: ({ pair }: PairRow) => pair.prompt },
  { id: 'strategy', label: 'Strategy', value: ({ pair }: PairRow) => pair.strategy },
  { id: 'score', label: 'Winner', value: ({ score }: PairRow) => score },
  { id: 'delta', label: 'Δ', value: ({ delta }: PairRow) => delta },
  { id: 'vote', label: 'Vote', value: ({ verdict }: PairRow) => verdict ?? '' },
] as const;
type ColumnId = (typeof COLUMNS)[number]['id'];

export interface PairTableProps {
  readonly rows: readonly PairRow[];
  readonly onOpen: (pairId: string) => void;
}

/** Every pair of the pool; only the rows in sight are in the page, so that 15,000 scroll like 15. */
export function PairTable({ rows, onOpen }: PairTableProps) {
  const [sort, setSort] = useState<{ id: ColumnId; down: boolean }>({ id: 'delta', down: true });
  const [text, setText] = useState('');
  const [strategy, setStrategy] = useState('');
  const [show, setShow] = useState('all');
  const scroller = useRef<HTMLDivElement>(null);
  const strategies = useMemo(() => [...new Set(rows.map(({ pair }) => pair.strategy))].sort(), [rows]);

  const shown = useMemo(() => {
    const words = text.toLowerCase();
    const { value } = COLUMNS.find(({ id }) => id === sort.id)!;
    const kept = rows.filter(
      (row) =>
        row.pair.prompt.toLowerCase().includes(words) &&
        (strategy === '' || row.pair.strategy === strategy) &&
        (show === 'all' ||
          (show === 'accepted' && row.accepted) ||
          (show === 'out' && !row.accepted) ||
          (show === 'voted' && row.verdict !== null) ||
          (show === 'disagree' && row.disagrees)),
    );
    return kept.sort((one, other) => {
      const [a, b] = [value(one), value(other)];
      const order =
        typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b));
      return sort.down ? -order : order;
    });
  }, [rows, text, strategy, show, sort]);

  const virtual = useVirtualizer({
    count: shown.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PIXELS,
    overscan: 8,
  });

  return (
    <div className={styles.pairs}>
      <div className={styles.row}>
        <input
          className={fieldStyles.input}
          type="search"
          aria-label="Find prompts"
          placeholder="Find prompts"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <select
          className={fieldStyles.input}
          aria-label="Strategy"
          value={strategy}
          onChange={(event) => setStrategy(event.target.value)}
        >
          <option value="">All strategies</option>
          {strategies.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <select
          className={fieldStyles.input}
          aria-label="Show"
          value={show}
          onChange={(event) => setShow(event.target.value)}
        >
          <option value="all">All pairs</option>
          <option value="accepted">Within the bounds</option>
          <option value="out">Outside the bounds</option>
          <option value="voted">Voted</option>
          <option value="disagree">CLAP and ear disagree</option>
        </select>
      </div>
      <p className={styles.quiet}>{shown.length} pairs</p>
      {/* biome-ignore-start lint/a11y/useSemanticElements: rows that are placed one by one cannot be a <table>'s */}
      <div role="table" aria-label="Pairs" aria-rowcount={shown.length + 1} className={styles.grid}>
        <div role="row" aria-rowindex={1} tabIndex={-1} className={styles.head}>
          {COLUMNS.map(({ id, label }) => (
            <div
              key={id}
              role="columnheader"
              tabIndex={-1}
              aria-sort={sort.id === id ? (sort.down ? 'descending' : 'ascending') : 'none'}
            >
              <button
                type="button"
                className={styles.sort}
                onClick={() => setSort({ id, down: sort.id === id ? !sort.down : true })}
              >
                {label} {sort.id === id && <span aria-hidden="true">{sort.down ? '↓' : '↑'}</span>}
              </button>
            </div>
          ))}
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: keys scroll it */}
        <div ref={scroller} role="rowgroup" tabIndex={0} className={styles.body}>
          <div role="presentation" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
            {virtual.getVirtualItems().map(({ index, start }) => {
              const { pair, score, delta, verdict, accepted, disagrees, clapSide } = shown[index]!;
              const vote =
                verdict === null ? '' : verdict === clapSide ? 'agrees' : disagrees ? 'disagrees' : verdict;
              return (
                <div
                  key={pair.id}
                  role="row"
                  tabIndex={-1}
                  aria-rowindex={index + 2}
                  className={`${styles.line} ${accepted ? '' : styles.out}`}
                  style={{ transform: `translateY(${start}px)` }}
                >
                  <div role="cell">
                    <button type="button" className={styles.link} onClick={() => onOpen(pair.id)}>
                      {pair.prompt}
                    </button>
                  </div>
                  <div role="cell">{pair.strategy}</div>
                  <div role="cell">{Number.isNaN(score) ? '–' : score.toFixed(3)}</div>
                  <div role="cell">{Number.isNaN(delta) ? '–' : delta.toFixed(3)}</div>
                  <div role="cell">{vote.replace('-', ' ')}</div>
                </div>
              );
            })}
          </div>
        </div>
      </div>
      {/* biome-ignore-end lint/a11y/useSemanticElements: see above */}
    </div>
  );
}
