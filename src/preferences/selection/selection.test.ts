import { describe, expect, it } from 'vitest';
import agreement from '../fixtures/agreement.json';
import type { Candidate, CandidateGroup, ScoredPair } from '../types';
import {
  defaultSelection,
  filterByEnsemble,
  PAPER_BOUNDS,
  paperSelection,
  percentile,
} from './ensemble-filter';
import { formPairs } from './form-pairs';
import { histogram, pairStatistics } from './pair-statistics';

const AUDIOSET = 'laion/630k-audioset-best';
const BEST = 'laion/630k-best';

function candidate(one: number | null, two = one, contentHash = String(Math.random())): Candidate {
  return {
    clipId: contentHash,
    recipe: null,
    scores: one === null ? {} : { [AUDIOSET]: one, [BEST]: two! },
    check: { durationSeconds: 5, peak: 0.5, rms: 0.1, clippedShare: 0, contentHash },
  };
}
function group(
  ranking: CandidateGroup['ranking'],
  candidates: Candidate[],
  strategy = '1.2',
): CandidateGroup {
  return { id: `${strategy}-g`, prompt: 'a dog barks', strategy, ranking, candidates };
}
const pairOf = (winner: [number, number], loser: [number, number], strategy = '2'): ScoredPair =>
  formPairs([group('given', [candidate(...winner), candidate(...loser)], strategy)], AUDIOSET).pairs[0]!;

describe('The pool of pairs', () => {
  it('strategy 1: the best of four wins against the three others', () => {
    const four = [0.3, 0.7, 0.5, 0.6].map((score) => candidate(score));
    const { pairs, unformed } = formPairs([group('best-of-all', four)], AUDIOSET);
    expect(pairs.map(({ winner, loser }) => [four.indexOf(winner), four.indexOf(loser)])).toEqual([
      [1, 0],
      [1, 2],
      [1, 3],
    ]);
    expect(pairs[0]!.deltas[AUDIOSET]).toBeCloseTo(0.4);
    expect(unformed).toEqual([]);
  });

  it('strategy 1: another model ranks otherwise, and a pair of sounds keeps its id', () => {
    const two = [candidate(0.3, 0.9), candidate(0.7, 0.1)];
    const ids = [AUDIOSET, BEST].map((model) => formPairs([group('best-of-all', two)], model).pairs[0]!.id);
    expect(ids[0]).toBe(ids[1]);
  });

  it('strategies 2 and 3: the prompt’s own clip, only where it scores higher', () => {
    const clips = [0.5, 0.4, 0.6, 0.5].map((score) => candidate(score));
    const { pairs, unformed } = formPairs([group('first-wins', clips, '2')], AUDIOSET);
    expect(pairs.map(({ winner, loser }) => [clips.indexOf(winner), clips.indexOf(loser)])).toEqual([[0, 1]]);
    expect(unformed.map(({ reason }) => reason)).toEqual(['loser-scores-higher', 'loser-scores-higher']);
  });

  it('says of a pair that cannot be formed why', () => {
    const unmade = { ...candidate(null), check: null };
    const reasons = (candidates: Candidate[], ranking: CandidateGroup['ranking'] = 'first-wins') =>
      formPairs([group(ranking, candidates)], AUDIOSET).unformed.map(({ reason }) => reason);
    expect(reasons([candidate(0.5), unmade])).toEqual(['not-made']);
    expect(reasons([candidate(0.5), candidate(null)])).toEqual(['not-scored']);
    expect(reasons([candidate(0.5, 0.5, 'same'), candidate(0.4, 0.4, 'same')])).toEqual(['same-sound']);
    expect(reasons([candidate(0.5), candidate(0.4), unmade], 'best-of-all')).toEqual([
      'not-made',
      'not-made',
    ]);
    // Two clips of strategy 2 are a pair, whether the others are there or not.
    expect(reasons([candidate(0.5), candidate(0.4), unmade])).toEqual(['not-made']);
  });
});

describe('The ensemble filter', () => {
  const models = [AUDIOSET, BEST].map((id) => ({ id, name: id }));
  const paper = defaultSelection(models);

  it('has the paper’s values for the paper’s models', () => {
    expect(paper).toEqual({
      mode: 'values',
      bounds: [
        { modelId: AUDIOSET, winnerAtLeast: 0.45, loserAtLeast: 0.4, deltaAtLeast: 0.05, deltaAtMost: 0.35 },
        { modelId: BEST, winnerAtLeast: 0.6, loserAtLeast: 0, deltaAtLeast: 0.08, deltaAtMost: 0.7 },
      ],
    });
    expect(defaultSelection([{ id: 'clap-a', name: 'A small CLAP' }]).mode).toBe('percentiles');
    expect(paperSelection([{ id: 'clap-a', name: '' }]).bounds[0]).toMatchObject(PAPER_BOUNDS[0]);
  });

  it('keeps a pair if and only if every condition holds for both models, and names those that do not', () => {
    const cases: [ScoredPair, string[]][] = [
      [pairOf([0.6, 0.7], [0.45, 0.3]), []],
      [pairOf([0.44, 0.7], [0.4, 0.3]), ['1 winner-below', '1 delta-below']],
      [pairOf([0.6, 0.7], [0.39, 0.3]), ['1 loser-below']],
      [pairOf([0.8, 0.7], [0.4, 0.3]), ['1 delta-above']],
      [pairOf([0.6, 0.59], [0.5, 0.3]), ['2 winner-below']],
      [pairOf([0.6, 0.8], [0.5, -0.01]), ['2 loser-below', '2 delta-above']],
      [pairOf([0.6, 0.7], [0.5, 0.65]), ['2 delta-below']],
    ];
    for (const [pair, expected] of cases) {
      const { accepted, rejected } = filterByEnsemble([pair], paper);
      const told = rejected.flatMap(({ failed }) =>
        failed.map(({ modelId, reason }) => `${modelId === AUDIOSET ? 1 : 2} ${reason}`),
      );
      expect(told).toEqual(expected);
      expect(accepted).toHaveLength(expected.length === 0 ? 1 : 0);
    }
  });

  it('counts both ends of Δ in, and a missing score out', () => {
    const at = (delta: number) => ({
      ...pairOf([0.9, 0.9], [0.5, 0.4]),
      deltas: { [AUDIOSET]: delta, [BEST]: 0.5 },
    });
    expect(filterByEnsemble([at(0.05), at(0.35), at(0.0499), at(0.3501)], paper).accepted).toHaveLength(2);
    const unscored = formPairs([group('given', [candidate(null), candidate(null)])], null).pairs;
    expect(filterByEnsemble(unscored, paper).rejected[0]!.failed.map(({ reason }) => reason)).toEqual([
      'no-score',
      'no-score',
    ]);
  });

  it('takes percentiles of the pool’s own scores, as numpy does', () => {
    const ascending = Float64Array.from(agreement.percentiles.values).sort();
    for (const { share, value } of agreement.percentiles.at)
      expect(percentile(ascending, share)).toBeCloseTo(value, 12);
    const pairs = Array.from({ length: 101 }, (_, i) => pairOf([i / 100, i / 100], [0, 0]));
    const settings = {
      mode: 'percentiles' as const,
      bounds: [{ modelId: AUDIOSET, winnerAtLeast: 25, loserAtLeast: 0, deltaAtLeast: 0, deltaAtMost: 90 }],
    };
    const kept = filterByEnsemble(pairs, settings).accepted.map(({ winner }) => winner.scores[AUDIOSET]);
    expect([Math.min(...(kept as number[])), Math.max(...(kept as number[]))]).toEqual([0.25, 0.9]);
  });
});

describe('Statistics', () => {
  it('are the rows of Table 2', () => {
    const pairs = [
      pairOf([0.6, 0.5], [0.4, 0.1], '3'),
      pairOf([0.8, 0.5], [0.5, 0.1], '1.1'),
      pairOf([0.5, 0.5], [0.4, 0.1], '1.1'),
    ];
    const rows = pairStatistics(pairs, AUDIOSET);
    expect(rows.map(({ strategy, pairs: count }) => [strategy, count])).toEqual([
      ['1.1', 2],
      ['3', 1],
      ['all', 3],
    ]);
    expect(rows[0]!.meanWinner).toBeCloseTo(0.65);
    expect(rows[0]!.meanLoser).toBeCloseTo(0.45);
    expect(rows[2]!.meanDelta).toBeCloseTo(0.2);
    expect(pairStatistics([], AUDIOSET)).toEqual([
      { strategy: 'all', pairs: 0, meanWinner: Number.NaN, meanLoser: Number.NaN, meanDelta: Number.NaN },
    ]);
  });

  it('count every value in a histogram, the largest too', () => {
    const { counts, min, max } = histogram([0, 0.1, 0.5, 1, Number.NaN], 4);
    expect([min, max, counts]).toEqual([0, 1, [2, 0, 1, 1]]);
    expect(histogram([0.3], 4).counts).toEqual([0, 0, 1, 0]);
    expect(histogram([], 2).counts).toEqual([0, 0]);
  });
});
