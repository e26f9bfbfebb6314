import { describe, expect, it } from 'vitest';
import type { Candidate } from '../../../preferences/types';
import {
  conceptCounts,
  facetReader,
  filterRows,
  isFiltering,
  NO_FILTER,
  type PairFilter,
  type PairSort,
  sortRows,
} from './pair-filter';
import type { PairRow } from './queue';

const silent: Candidate = { clipId: '', recipe: null, scores: {}, check: null };
function row(id: string, prompt: string, part: Partial<PairRow> = {}, deltas = {}): PairRow {
  const pair = { id, groupId: id, prompt, strategy: '1.2', winner: silent, loser: silent, deltas };
  return {
    pair,
    accepted: true,
    clapSide: 'a',
    verdict: null,
    voteCount: 0,
    disagrees: false,
    score: 0.5,
    delta: 0.1,
    ...part,
  };
}
const ROWS = [
  row('bark', 'a dog barks', { score: 0.3, delta: 0.2, verdict: 'a' }),
  row('order', 'a dog barks and then a bell rings', { score: 0.6, delta: 0.05, accepted: false }),
  row('both', 'rain falls while birds sing', { verdict: 'b', disagrees: true }, { one: 0.1, two: -0.1 }),
  row('unscored', 'sound 10', { score: Number.NaN, delta: Number.NaN, verdict: 'tie' }),
  row('bad', 'sound 9', { verdict: 'both-bad', delta: -0.3 }),
];
const facetsOf = facetReader();
const idsOf = (rows: readonly PairRow[]) => rows.map(({ pair }) => pair.id);
const kept = (filter: Partial<PairFilter>) => idsOf(filterRows(ROWS, { ...NO_FILTER, ...filter }, facetsOf));
const sorted = (key: PairSort['key'], down: boolean) => idsOf(sortRows(ROWS, { key, down }));

describe('Filtering pairs', () => {
  it.each([
    ['words, whatever their case', { text: ' DOG ' }, ['bark', 'order']],
    ['another strategy', { strategy: '3' }, []],
    ['an order of events', { tag: 'sequence' }, ['order']],
    ['events in time', { tag: 'temporal' }, ['order', 'both']],
    ['several sounds', { tag: 'several' }, ['order', 'both']],
    ['one sound', { tag: 'single' }, ['bark', 'unscored', 'bad']],
    ['a sound event', { concept: 'bell' }, ['order']],
    ['within the bounds', { place: 'accepted' }, ['bark', 'both', 'unscored', 'bad']],
    ['outside', { place: 'out' }, ['order']],
    ['CLAPs that contradict each other', { place: 'contradicted' }, ['both']],
    ['no vote', { vote: 'none' }, ['order']],
    ['any vote', { vote: 'any' }, ['bark', 'both', 'unscored', 'bad']],
    ['an ear that agrees', { vote: 'agrees' }, ['bark']],
    ['an ear that disagrees', { vote: 'disagrees' }, ['both']],
    ['a tie', { vote: 'tie' }, ['unscored']],
    ['both bad', { vote: 'both-bad' }, ['bad']],
    ['a score, its end included', { winner: { least: 0.5, most: Number.NaN } }, ['order', 'both', 'bad']],
    ['a range of Δ', { delta: { least: -0.3, most: 0.05 } }, ['order', 'bad']],
    ['all at once', { text: 'dog', vote: 'none' }, ['order']],
  ] as const)('by %s', (_, filter, ids) => {
    expect(kept(filter)).toEqual(ids);
  });

  it('is off with nothing asked for', () => {
    expect(kept({})).toEqual(idsOf(ROWS));
    expect(isFiltering(NO_FILTER)).toBe(false);
    expect(isFiltering({ ...NO_FILTER, text: '  ' })).toBe(false);
    expect(isFiltering({ ...NO_FILTER, vote: 'none' })).toBe(true);
    expect(isFiltering({ ...NO_FILTER, delta: { least: 0, most: Number.NaN } })).toBe(true);
  });

  it('counts sound events, most first', () => {
    expect(conceptCounts(ROWS, facetsOf)).toEqual([
      ['dog', 2],
      ['bell', 1],
      ['birds', 1],
      ['rain', 1],
    ]);
  });
});

describe('Sorting pairs', () => {
  it('by a score, those without one last both ways', () => {
    expect(sorted('winner', true)).toEqual(['order', 'both', 'bad', 'bark', 'unscored']);
    expect(sorted('delta', false)).toEqual(['bad', 'order', 'both', 'bark', 'unscored']);
  });

  it('by text, numbers in it as numbers', () => {
    expect(sorted('prompt', false)).toEqual(['bark', 'order', 'both', 'bad', 'unscored']);
  });

  it('by vote, pairs without one last both ways', () => {
    expect(sorted('vote', false)).toEqual(['bark', 'bad', 'both', 'unscored', 'order']);
    expect(sorted('vote', true)).toEqual(['unscored', 'both', 'bad', 'bark', 'order']);
  });

  it('keeps the order of equals', () => {
    expect(sorted('strategy', true)).toEqual(idsOf(ROWS));
  });
});
