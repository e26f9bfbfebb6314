import { describe, expect, it } from 'vitest';
import { countSplits, splitOf } from '../splits';
import type { Candidate, ScoredPair } from '../types';
import { checkClip } from './check-clip';
import { datasetHealth } from './dataset-health';

const NO_SPLITS = { validation: 0, test: 0 };
const tone = (amplitude: number, samples = 16_000, hz = 440) =>
  Float32Array.from({ length: samples }, (_, t) => amplitude * Math.sin((2 * Math.PI * hz * t) / 16_000));

function clip(clipId: string, audio: Float32Array, score: number): Candidate {
  return { clipId, recipe: null, scores: { clap: score }, check: checkClip(audio, 16_000) };
}
function pair(id: string, prompt: string, winner: Candidate, loser: Candidate, strategy = '1.2'): ScoredPair {
  return { id, groupId: id, prompt, strategy, winner, loser, deltas: { clap: 0.1 } };
}
let clips = 0;
const fine = (score = 0.5) => clip(`fine${clips}`, tone(0.5, 16_000, 300 + clips++), score);

describe('Health', () => {
  it('finds nothing in good pairs, and counts what they are about', () => {
    const pairs = [
      pair('1', 'a dog barks', fine(), fine()),
      pair('2', 'a dog barks then a bell rings', fine(), fine(), '3'),
    ];
    const health = datasetHealth(pairs, NO_SPLITS);
    expect(health).toMatchObject({ pairs: 2, prompts: 2, findings: [], strategies: { '1.2': 1, '3': 1 } });
    expect(health.concepts).toEqual([
      { name: 'dog', pairs: 2 },
      { name: 'bell', pairs: 1 },
    ]);
    expect(health.conceptImbalance).toBe(2);
    expect(health.durationSeconds).toEqual({ min: 1, median: 1, max: 1 });
  });

  it('finds silence, clipping, short clips, copies, captions twice and scores far out', () => {
    const same = tone(0.4);
    const pairs = [
      ...Array.from({ length: 12 }, (_, i) =>
        pair(`f${i}`, `sound ${i}`, fine(0.5 + i / 100), fine(0.4 + i / 100)),
      ),
      pair('silent', 'a', clip('s', tone(0.0001), 0.5), fine()),
      pair(
        'clipped',
        'b',
        clip(
          'c',
          tone(3).map((x) => Math.max(-1, Math.min(1, x))),
          0.5,
        ),
        fine(),
      ),
      pair('short', 'c', clip('k', tone(0.5, 4000), 0.5), fine()),
      pair('copy', 'd', clip('x', same, 0.5), clip('y', same, 0.45)),
      pair('written otherwise', 'Sound 3.', fine(), fine()),
      pair('outlier', 'e', fine(5), fine()),
    ];
    const found = datasetHealth(pairs, NO_SPLITS).findings.map(({ issue, pairIds }) => [issue, ...pairIds]);
    expect(found.sort()).toEqual(
      [
        ['silent', 'silent'],
        ['clipped', 'clipped'],
        ['short', 'short'],
        ['duplicate-sound', 'copy'],
        ['duplicate-prompt', 'written otherwise'],
        ['score-outlier', 'outlier'],
      ].sort(),
    );
  });

  it('does not take one clip in several pairs for a copy', () => {
    const winner = fine();
    const pairs = [pair('1', 'a', winner, fine()), pair('2', 'a', winner, fine())];
    expect(datasetHealth(pairs, NO_SPLITS).findings).toEqual([]);
  });

  it('finds a prompt in two splits of a file', () => {
    const pairs = [pair('1', 'a dog', fine(), fine()), pair('2', 'A dog.', fine(), fine())];
    const given = new Map([
      ['1', 'train'],
      ['2', 'test'],
    ]);
    const leak = datasetHealth(pairs, NO_SPLITS, given).findings.find(({ issue }) => issue === 'split-leak');
    expect(leak?.pairIds).toEqual(['1', '2']);
  });
});

describe('Splits', () => {
  it('go by prompt however it is written, in about the shares asked for', () => {
    const shares = { validation: 0.1, test: 0.2 };
    expect(splitOf('A Dog barks.', shares)).toBe(splitOf('a dog barks', shares));
    const counts = { train: 0, validation: 0, test: 0 };
    for (let i = 0; i < 4000; i += 1) counts[splitOf(`sound number ${i}`, shares)] += 1;
    expect(counts.test / 4000).toBeCloseTo(0.2, 1);
    expect(counts.validation / 4000).toBeCloseTo(0.1, 1);
  });

  it('are counted by pairs and by prompts, which are never in two', () => {
    const prompts = Array.from({ length: 200 }, (_, i) => `sound number ${i}`);
    const pairs = prompts.flatMap((prompt) => [prompt, `${prompt}.`, prompt.toUpperCase()]);
    const counts = countSplits(
      pairs.map((prompt) => ({ prompt })),
      { validation: 0.3, test: 0.2 },
    );
    for (const split of Object.values(counts)) {
      expect(split.prompts).toBeGreaterThan(20);
      expect(split.pairs).toBe(3 * split.prompts);
    }
    expect(counts.train.prompts + counts.validation.prompts + counts.test.prompts).toBe(200);
  });
});
