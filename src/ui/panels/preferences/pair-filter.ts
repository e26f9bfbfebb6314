import { conceptsOf } from '../../../preferences/health/dataset-health';
import { tagPrompt } from '../../../preferences/prompt-pool/tags';
import type { PairRow } from './queue';

export const TAGS = ['sequence', 'temporal', 'several', 'single'] as const;
export type PairTag = (typeof TAGS)[number];
export const TAG_LABELS: Readonly<Record<PairTag, string>> = {
  sequence: 'One after another',
  temporal: 'Any order in time',
  several: 'Several sounds',
  single: 'One sound',
};

export const VOTE_STATES = ['none', 'any', 'agrees', 'disagrees', 'tie', 'both-bad'] as const;
export type VoteState = (typeof VOTE_STATES)[number];
export const VOTE_LABELS: Readonly<Record<VoteState, string>> = {
  none: 'Not voted on',
  any: 'Voted on',
  agrees: 'Ear agrees with CLAP',
  disagrees: 'Ear disagrees with CLAP',
  tie: 'Tie',
  'both-bad': 'Both bad',
};

export const PLACES = ['accepted', 'out', 'contradicted'] as const;
export type PairPlace = (typeof PLACES)[number];
export const PLACE_LABELS: Readonly<Record<PairPlace, string>> = {
  accepted: 'Within the bounds',
  out: 'Outside the bounds',
  contradicted: 'CLAPs contradict each other',
};

/** Both ends included; NaN is an open end. */
export interface ScoreRange {
  readonly least: number;
  readonly most: number;
}

/** What the table shows; '' asks nothing. */
export interface PairFilter {
  readonly text: string;
  readonly strategy: string;
  readonly tag: PairTag | '';
  /** Name of a sound event of the prompt. */
  readonly concept: string;
  readonly place: PairPlace | '';
  readonly vote: VoteState | '';
  readonly winner: ScoreRange;
  readonly delta: ScoreRange;
}

export const OPEN_RANGE: ScoreRange = { least: Number.NaN, most: Number.NaN };
export const NO_FILTER: PairFilter = {
  text: '',
  strategy: '',
  tag: '',
  concept: '',
  place: '',
  vote: '',
  winner: OPEN_RANGE,
  delta: OPEN_RANGE,
};

export interface PromptFacets {
  readonly tags: readonly PairTag[];
  readonly concepts: readonly string[];
}

export type FacetReader = (prompt: string) => PromptFacets;

/** Tags and sound events of prompts, each prompt looked at once: 15,000 pairs have a third as many prompts. */
export function facetReader(): FacetReader {
  const known = new Map<string, PromptFacets>();
  return (prompt) => {
    const facets = known.get(prompt) ?? readFacets(prompt);
    known.set(prompt, facets);
    return facets;
  };
}

function readFacets(prompt: string): PromptFacets {
  const { sequence, temporal, multiConcept } = tagPrompt(prompt);
  const tags: PairTag[] = [multiConcept ? 'several' : 'single'];
  if (sequence) tags.push('sequence');
  if (temporal) tags.push('temporal');
  return { tags, concepts: conceptsOf(prompt) };
}

/** Sound events of the rows and how many rows have each, most first. */
export function conceptCounts(
  rows: readonly PairRow[],
  facetsOf: FacetReader,
): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { pair } of rows) {
    for (const name of facetsOf(pair.prompt).concepts) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].sort((one, other) => other[1] - one[1] || one[0].localeCompare(other[0]));
}

export function isFiltering(filter: PairFilter): boolean {
  const { text, winner, delta, ...choices } = filter;
  const ends = [winner.least, winner.most, delta.least, delta.most];
  return (
    text.trim() !== '' ||
    Object.values(choices).some((choice) => choice !== '') ||
    !ends.every((end) => Number.isNaN(end))
  );
}

export function filterRows(
  rows: readonly PairRow[],
  filter: PairFilter,
  facetsOf: FacetReader,
): readonly PairRow[] {
  const words = filter.text.trim().toLowerCase();
  const { strategy, tag, concept, place, vote, winner, delta } = filter;
  return rows.filter(
    (row) =>
      (words === '' || row.pair.prompt.toLowerCase().includes(words)) &&
      (strategy === '' || row.pair.strategy === strategy) &&
      (tag === '' || facetsOf(row.pair.prompt).tags.includes(tag)) &&
      (concept === '' || facetsOf(row.pair.prompt).concepts.includes(concept)) &&
      (place === '' || isAt(row, place)) &&
      (vote === '' || hasVote(row, vote)) &&
      isWithin(row.score, winner) &&
      isWithin(row.delta, delta),
  );
}

function isAt({ accepted, pair }: PairRow, place: PairPlace): boolean {
  if (place !== 'contradicted') return accepted === (place === 'accepted');
  const deltas = Object.values(pair.deltas);
  return deltas.some((delta) => delta > 0) && deltas.some((delta) => delta < 0);
}

function hasVote({ verdict, clapSide, disagrees }: PairRow, vote: VoteState): boolean {
  if (vote === 'none') return verdict === null;
  if (vote === 'any') return verdict !== null;
  if (vote === 'agrees') return verdict === clapSide;
  return vote === 'disagrees' ? disagrees : verdict === vote;
}

/** A pair without a score is within no range that has an end. */
function isWithin(value: number, { least, most }: ScoreRange): boolean {
  return (Number.isNaN(least) || value >= least) && (Number.isNaN(most) || value <= most);
}

export const SORT_KEYS = ['prompt', 'strategy', 'winner', 'delta', 'vote'] as const;
export type SortKey = (typeof SORT_KEYS)[number];
export interface PairSort {
  readonly key: SortKey;
  readonly down: boolean;
}

/** "sound 9" before "sound 10"; made once, for it is costly to make and quick to use. */
const collator = new Intl.Collator(undefined, { numeric: true });

/** A sorted copy. What has no score or no vote comes last whichever way it goes; equals keep their order. */
export function sortRows(rows: readonly PairRow[], { key, down }: PairSort): readonly PairRow[] {
  const way = down ? -1 : 1;
  if (key === 'winner' || key === 'delta') {
    const scoreOf = (row: PairRow): number => (key === 'winner' ? row.score : row.delta);
    return rows.toSorted((one, other) => {
      const [a, b] = [scoreOf(one), scoreOf(other)];
      if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
      return way * (a - b);
    });
  }
  const textOf = (row: PairRow): string =>
    key === 'prompt' ? row.pair.prompt : key === 'strategy' ? row.pair.strategy : voteText(row);
  return rows.toSorted((one, other) => {
    const [a, b] = [textOf(one), textOf(other)];
    if (a === '' || b === '') return Number(a === '') - Number(b === '');
    return way * collator.compare(a, b);
  });
}

/** What an ear said of CLAP's choice; '' without a vote. */
export function voteText({ verdict, clapSide, disagrees }: PairRow): string {
  if (verdict === null) return '';
  if (verdict === clapSide) return 'agrees';
  return disagrees ? 'disagrees' : verdict.replace('-', ' ');
}
