import { describe, expect, it } from 'vitest';
import { filterPairs, NO_FILTER, sortPairs } from './filter-pairs';
import type { PairRow } from './queue';

const row = (prompt: string, part: Partial<PairRow> & { strategy?: string } = {}): PairRow =>
  ({
    pair: { id: prompt, prompt, strategy: part.strategy ?? '1.1' },
    score: 0.5,
    delta: 0.1,
    accepted: true,
    verdict: null,
    disagrees: false,
    clapSide: 'a',
    ...part,
  }) as PairRow;

const rows = [
  row('a dog barks', { score: 0.9, delta: 0.3 }),
  row('rain falls and then a bell rings', { strategy: '3', verdict: 'b', disagrees: true }),
  row('rain falls while a cat meows', { score: Number.NaN, delta: Number.NaN, accepted: false }),
];
const shown = (part: Partial<typeof NO_FILTER>): string[] =>
  filterPairs(rows, { ...NO_FILTER, ...part }).map(({ pair }) => pair.prompt);

describe('filterPairs', () => {
  it.each<[Partial<typeof NO_FILTER>, number[]]>([
    [{}, [0, 1, 2]],
    [{ text: 'RAIN' }, [1, 2]],
    [{ strategy: '3' }, [1]],
    [{ state: 'accepted' }, [0, 1]],
    [{ state: 'out' }, [2]],
    [{ state: 'voted' }, [1]],
    [{ state: 'disagree' }, [1]],
    [{ tag: 'sequence' }, [1]],
    [{ tag: 'temporal' }, [1, 2]],
    [{ tag: 'several' }, [1, 2]],
    [{ tag: 'one' }, [0]],
    [{ scoreAtLeast: 0.6 }, [0]],
    [{ deltaAtLeast: 0.1 }, [0, 1]],
    [{ text: 'rain', tag: 'one' }, []],
  ])('%o', (part, expected) => {
    expect(shown(part)).toEqual(expected.map((i) => rows[i]!.pair.prompt));
  });
});

describe('sortPairs', () => {
  it.each([true, false])('pairs without a figure come last, down: %s', (down) => {
    const order = sortPairs([...rows], 'delta', down).map(({ pair }) =>
      rows.findIndex((one) => one.pair === pair),
    );
    expect(order).toEqual(down ? [0, 1, 2] : [1, 0, 2]);
  });
});
