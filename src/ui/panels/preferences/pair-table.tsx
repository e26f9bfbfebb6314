import { useVirtualizer } from '@tanstack/react-virtual';
import { useMemo, useRef, useState } from 'react';
import { Button } from '../../components/button';
import fieldStyles from '../../components/field.module.css';
import { Notice } from '../../components/notice';
import { NumberInput } from '../../components/number-input';
import {
  filterPairs,
  NO_FILTER,
  PAIR_COLUMNS,
  PAIR_STATES,
  PAIR_TAGS,
  type PairColumn,
  type PairFilter,
  sortPairs,
} from './filter-pairs';
import styles from './preferences.module.css';
import type { PairRow } from './queue';

const ROW_PIXELS = 40;
export interface PairTableProps {
  readonly rows: readonly PairRow[];
  readonly onOpen: (pairId: string) => void;
}

/** Every pair of the pool; only the rows in sight are in the page, so that 15,000 scroll like 15. */
export function PairTable({ rows, onOpen }: PairTableProps) {
  const [sort, setSort] = useState<{ id: PairColumn; down: boolean }>({ id: 'delta', down: true });
  const [filter, setFilter] = useState(NO_FILTER);
  const change = (part: Partial<PairFilter>): void => setFilter((now) => ({ ...now, ...part }));
  const scroller = useRef<HTMLDivElement>(null);
  const strategies = useMemo(() => [...new Set(rows.map(({ pair }) => pair.strategy))].sort(), [rows]);
  const shown = useMemo(() => sortPairs(filterPairs(rows, filter), sort.id, sort.down), [rows, filter, sort]);

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
          value={filter.text}
          onChange={({ target }) => change({ text: target.value })}
        />
        <select
          className={fieldStyles.input}
          aria-label="Strategy"
          value={filter.strategy}
          onChange={({ target }) => change({ strategy: target.value })}
        >
          <option value="">All strategies</option>
          {strategies.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        <Choice
          label="Show"
          options={PAIR_STATES}
          value={filter.state}
          onChange={(state) => change({ state })}
        />
        <Choice label="Tags" options={PAIR_TAGS} value={filter.tag} onChange={(tag) => change({ tag })} />
        <label className={styles.inline} htmlFor="pairs-score">
          Winner ≥
          <NumberInput
            id="pairs-score"
            value={filter.scoreAtLeast}
            invalid={false}
            onChange={(scoreAtLeast) => change({ scoreAtLeast })}
          />
        </label>
        <label className={styles.inline} htmlFor="pairs-delta">
          Δ ≥
          <NumberInput
            id="pairs-delta"
            value={filter.deltaAtLeast}
            invalid={false}
            onChange={(deltaAtLeast) => change({ deltaAtLeast })}
          />
        </label>
      </div>
      <p className={styles.quiet} role="status">
        {shown.length === rows.length ? `${rows.length} pairs` : `${shown.length} of ${rows.length} pairs`}
      </p>
      {shown.length === 0 && rows.length > 0 && (
        <Notice kind="info" title="No pair is like that">
          <Button size="small" onClick={() => setFilter(NO_FILTER)}>
            Show all {rows.length}
          </Button>
        </Notice>
      )}
      {/* biome-ignore-start lint/a11y/useSemanticElements: rows that are placed one by one cannot be a <table>'s */}
      <div role="table" aria-label="Pairs" aria-rowcount={shown.length + 1} className={styles.grid}>
        <div role="row" aria-rowindex={1} tabIndex={-1} className={styles.head}>
          {PAIR_COLUMNS.map(({ id, label }) => (
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

function Choice<T extends string>({
  label,
  options,
  value,
  onChange,
}: {
  readonly label: string;
  readonly options: Readonly<Record<T, string>>;
  readonly value: T;
  readonly onChange: (value: T) => void;
}) {
  return (
    <select
      className={fieldStyles.input}
      aria-label={label}
      value={value}
      onChange={({ target }) => onChange(target.value as T)}
    >
      {(Object.entries(options) as [T, string][]).map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  );
}
