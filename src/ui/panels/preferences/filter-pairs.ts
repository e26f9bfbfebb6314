import { tagPrompt } from '../../../preferences/prompt-pool/tags';
import type { PairRow } from './queue';

export const PAIR_COLUMNS = [
  { id: 'prompt', label: 'Prompt', value: ({ pair }: PairRow) => pair.prompt },
  { id: 'strategy', label: 'Strategy', value: ({ pair }: PairRow) => pair.strategy },
  { id: 'score', label: 'Winner', value: ({ score }: PairRow) => score },
  { id: 'delta', label: 'Δ', value: ({ delta }: PairRow) => delta },
  { id: 'vote', label: 'Vote', value: ({ verdict }: PairRow) => verdict ?? '' },
] as const;
export type PairColumn = (typeof PAIR_COLUMNS)[number]['id'];

export const PAIR_STATES = {
  all: 'All pairs',
  accepted: 'Within the bounds',
  out: 'Outside the bounds',
  voted: 'Voted',
  disagree: 'CLAP and ear disagree',
} as const;

export const PAIR_TAGS = {
  all: 'All prompts',
  sequence: 'Tell an order',
  temporal: 'Temporal (paper’s Table 5)',
  several: 'Several events (paper’s Table 4)',
  one: 'One event',
} as const;

/** What the table shows. NaN of a bound: none. */
export interface PairFilter {
  readonly text: string;
  /** '': all. */
  readonly strategy: string;
  readonly state: keyof typeof PAIR_STATES;
  readonly tag: keyof typeof PAIR_TAGS;
  readonly scoreAtLeast: number;
  readonly deltaAtLeast: number;
}

export const NO_FILTER: PairFilter = {
  text: '',
  strategy: '',
  state: 'all',
  tag: 'all',
  scoreAtLeast: Number.NaN,
  deltaAtLeast: Number.NaN,
};

/** A pair without a score is below every bound. */
const below = (value: number, bound: number): boolean => !Number.isNaN(bound) && !(value >= bound);

export function filterPairs(rows: readonly PairRow[], filter: PairFilter): PairRow[] {
  const { strategy, state, tag, scoreAtLeast, deltaAtLeast } = filter;
  const words = filter.text.toLowerCase();
  return rows.filter(({ pair, score, delta, accepted, verdict, disagrees }) => {
    if (strategy !== '' && pair.strategy !== strategy) return false;
    if (below(score, scoreAtLeast) || below(delta, deltaAtLeast)) return false;
    if (state === 'accepted' && !accepted) return false;
    if (state === 'out' && accepted) return false;
    if (state === 'voted' && verdict === null) return false;
    if (state === 'disagree' && !disagrees) return false;
    if (!pair.prompt.toLowerCase().includes(words)) return false;
    if (tag === 'all') return true;
    const tags = tagPrompt(pair.prompt);
    return tag === 'one' ? !tags.multiConcept : tag === 'several' ? tags.multiConcept : tags[tag];
  });
}

const collator = new Intl.Collator();

/** @returns the same array, sorted; pairs without a figure come last either way */
export function sortPairs(rows: PairRow[], column: PairColumn, down: boolean): PairRow[] {
  const { value } = PAIR_COLUMNS.find(({ id }) => id === column)!;
  return rows.sort((one, other) => {
    const [a, b] = [value(one), value(other)];
    if (typeof a !== 'number' || typeof b !== 'number') {
      const order = collator.compare(String(a), String(b));
      return down ? -order : order;
    }
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
    return down ? b - a : a - b;
  });
}
