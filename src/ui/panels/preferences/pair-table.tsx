import { defaultRangeExtractor, useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { Button } from '../../components/button';
import { Notice } from '../../components/notice';
import {
  conceptCounts,
  type FacetReader,
  filterRows,
  isFiltering,
  NO_FILTER,
  type PairFilter,
  type PairSort,
  type SortKey,
  sortRows,
  voteText,
} from './pair-filter';
import { PairFilterBar } from './pair-filter-bar';
import styles from './preferences.module.css';
import type { PairRow } from './queue';

const ROW_PIXELS = 40;
const COLUMNS: readonly (readonly [SortKey, string])[] = [
  ['prompt', 'Prompt'],
  ['strategy', 'Strategy'],
  ['winner', 'Winner'],
  ['delta', 'Δ'],
  ['vote', 'Vote'],
];

/** What a person looks at in the table; it outlives a look at another view of the dataset. */
export interface TableLook {
  readonly filter: PairFilter;
  readonly sort: PairSort;
}
export const FIRST_LOOK: TableLook = { filter: NO_FILTER, sort: { key: 'delta', down: true } };

export interface PairTableProps {
  readonly rows: readonly PairRow[];
  /** Remembers the prompts it has read: it lives as long as the dataset is open. */
  readonly facetsOf: FacetReader;
  readonly look: TableLook;
  readonly onLook: (look: TableLook) => void;
  readonly onOpen: (pairId: string) => void;
}

/** Every pair of the pool; only the rows in sight are in the page, so that 15,000 scroll like 15. */
export function PairTable({ rows, facetsOf, look, onLook, onOpen }: PairTableProps) {
  const { filter, sort } = look;
  const strategies = useMemo(() => [...new Set(rows.map(({ pair }) => pair.strategy))].sort(), [rows]);
  const concepts = useConcepts(rows, facetsOf);
  const kept = useMemo(() => filterRows(rows, filter, facetsOf), [rows, filter, facetsOf]);
  const shown = useMemo(() => sortRows(kept, sort), [kept, sort]);
  const showAll = (): void => onLook({ ...look, filter: NO_FILTER });

  if (rows.length === 0) {
    return <p className={styles.quiet}>There are no pairs yet: they form when clips are made and scored.</p>;
  }
  return (
    <div className={styles.pairs}>
      <PairFilterBar
        filter={filter}
        strategies={strategies}
        concepts={concepts}
        onChange={(changed) => onLook({ ...look, filter: changed })}
      />
      <div className={styles.row}>
        <p className={styles.quiet} role="status">
          {shown.length.toLocaleString('en')} of {rows.length.toLocaleString('en')} pairs
        </p>
        {isFiltering(filter) && shown.length > 0 && (
          <Button size="small" variant="ghost" onClick={showAll}>
            Clear the filters
          </Button>
        )}
      </div>
      {shown.length === 0 ? (
        <Notice
          kind="info"
          title="No pair fits these filters"
          actions={<Button onClick={showAll}>Show all {rows.length.toLocaleString('en')} pairs</Button>}
        >
          <p>All their conditions have to hold at once.</p>
        </Notice>
      ) : (
        <Grid
          rows={shown}
          sort={sort}
          onSort={(key) => onLook({ ...look, sort: { key, down: sort.key === key ? !sort.down : true } })}
          onOpen={onOpen}
        />
      )}
    </div>
  );
}

/** Milliseconds that the captions may hold the page at a time: reading 15,000 takes more than a person would not feel. */
const SLICE_MS = 8;

/** The sound events of the rows, once all captions are read; those of the rows before until then. */
function useConcepts(rows: readonly PairRow[], facetsOf: FacetReader): ReturnType<typeof conceptCounts> {
  const [concepts, setConcepts] = useState<ReturnType<typeof conceptCounts>>([]);
  useEffect(() => {
    let [timer, at] = [0, 0];
    const read = (): void => {
      const end = performance.now() + SLICE_MS;
      while (at < rows.length && performance.now() < end) {
        facetsOf(rows[at]!.pair.prompt);
        at += 1;
      }
      if (at < rows.length) timer = window.setTimeout(read);
      else setConcepts(conceptCounts(rows, facetsOf));
    };
    timer = window.setTimeout(read);
    return () => window.clearTimeout(timer);
  }, [rows, facetsOf]);
  return concepts;
}

interface GridProps {
  readonly rows: readonly PairRow[];
  readonly sort: PairSort;
  readonly onSort: (key: SortKey) => void;
  readonly onOpen: (pairId: string) => void;
}

/** One row takes the Tab key; arrows, Page Up and Down, Home and End go from row to row, Enter opens. */
function Grid({ rows, sort, onSort, onOpen }: GridProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const takesFocus = useRef(false);
  const current = Math.min(active, rows.length - 1);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PIXELS,
    overscan: 8,
    // The row that has the focus stays in the page when it is scrolled out of sight, and the focus with it.
    rangeExtractor: (range) =>
      [...new Set([...defaultRangeExtractor(range), current])].sort((one, other) => one - other),
  });
  useEffect(() => {
    if (!takesFocus.current) return;
    takesFocus.current = false;
    scroller.current
      ?.querySelector<HTMLElement>(`[data-index="${current}"] button`)
      ?.focus({ preventScroll: true });
  }, [current]);

  function move(event: KeyboardEvent): void {
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? 0) / ROW_PIXELS) - 1);
    const steps: Readonly<Record<string, number>> = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -rows.length,
      End: rows.length,
    };
    const step = steps[event.key];
    if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const next = Math.min(Math.max(current + step, 0), rows.length - 1);
    takesFocus.current = true;
    setActive(next);
    virtual.scrollToIndex(next);
  }

  return (
    // biome-ignore-start lint/a11y/useSemanticElements: rows that are placed one by one cannot be a <table>'s
    <div role="grid" aria-label="Pairs" aria-rowcount={rows.length + 1} className={styles.grid}>
      <div role="row" aria-rowindex={1} tabIndex={-1} className={styles.head}>
        {COLUMNS.map(([key, label]) => (
          <div
            key={key}
            role="columnheader"
            tabIndex={-1}
            aria-sort={sort.key === key ? (sort.down ? 'descending' : 'ascending') : 'none'}
          >
            <button type="button" className={styles.sort} onClick={() => onSort(key)}>
              {label} {sort.key === key && <span aria-hidden="true">{sort.down ? '↓' : '↑'}</span>}
            </button>
          </div>
        ))}
      </div>
      <div ref={scroller} role="rowgroup" className={styles.body} onKeyDown={move}>
        <div role="presentation" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
          {virtual.getVirtualItems().map(({ index, start }) => {
            const row = rows[index]!;
            const { pair, score, delta, accepted } = row;
            return (
              <div
                key={pair.id}
                role="row"
                tabIndex={-1}
                aria-rowindex={index + 2}
                data-index={index}
                className={`${styles.line} ${accepted ? '' : styles.out}`}
                style={{ transform: `translateY(${start}px)` }}
              >
                <div role="gridcell" tabIndex={-1}>
                  <button
                    type="button"
                    className={styles.link}
                    tabIndex={index === current ? 0 : -1}
                    onFocus={() => setActive(index)}
                    onClick={() => onOpen(pair.id)}
                  >
                    {pair.prompt}
                  </button>
                </div>
                <div role="gridcell" tabIndex={-1}>
                  {pair.strategy}
                </div>
                <div role="gridcell" tabIndex={-1}>
                  {Number.isNaN(score) ? '–' : score.toFixed(3)}
                </div>
                <div role="gridcell" tabIndex={-1}>
                  {Number.isNaN(delta) ? '–' : delta.toFixed(3)}
                </div>
                <div role="gridcell" tabIndex={-1}>
                  {voteText(row)}
                </div>
              </div>
            );
          })}
        </div>
      </div>
    </div>
    // biome-ignore-end lint/a11y/useSemanticElements: see above
  );
}
