import { describe, expect, it } from 'vitest';
import { viewDataset } from '../../../preferences/selection/choose-pairs';
import type { Candidate, CandidateGroup } from '../../../preferences/types';
import type { Choice, Vote } from '../../../preferences/votes/vote';
import { matchLoudness } from './ab-player';
import { nextInQueue, pairRows, queueOf } from './queue';

const clip = (clipId: string, score: number): Candidate => ({
  clipId,
  recipe: null,
  scores: { clap: score },
  check: { durationSeconds: 1, peak: 0.5, rms: 0.1, clippedShare: 0, contentHash: clipId },
});
const groups: CandidateGroup[] = [0.5, 0.3, 0.1].map((delta, i) => ({
  id: `g${i}`,
  prompt: `sound ${i}`,
  strategy: '1.2',
  ranking: 'best-of-all',
  // The winner is the second of its group: b.
  candidates: [clip(`${i}l`, 0.2), clip(`${i}w`, 0.2 + delta)],
}));
const selection = {
  mode: 'values' as const,
  bounds: [{ modelId: 'clap', winnerAtLeast: 0, loserAtLeast: 0, deltaAtLeast: 0.2, deltaAtMost: 1 }],
};
const view = viewDataset(groups, {
  clapModels: [{ id: 'clap', name: 'CLAP' }],
  rankingModelId: null,
  selection,
});
const vote = (group: number, choice: Choice, rater = 'Ada'): Vote => ({
  id: `${group}${choice}${rater}`,
  pairId: `g${group}:0-1`,
  rater,
  choice,
  left: 'a',
  reasons: [],
  heardSeconds: { a: 1, b: 1 },
  repeat: false,
  at: '2026-01-01T00:00:00Z',
});
const promptsOf = (name: Parameters<typeof queueOf>[0], votes: readonly Vote[]) =>
  queueOf(name, pairRows(view, groups, votes), votes, 'Ada').map(({ pair }) => pair.prompt);

describe('Queues', () => {
  it('begin with what is within the bounds, least certain first where an ear says most', () => {
    expect(promptsOf('pending', [])).toEqual(['sound 0', 'sound 1']);
    expect(promptsOf('informative', [])).toEqual(['sound 2', 'sound 1', 'sound 0']);
    expect(promptsOf('rejected', [])).toEqual(['sound 2']);
  });

  it('follow the votes: heard pairs leave, and ears that contradict CLAP are told', () => {
    const votes = [vote(0, 'b'), vote(1, 'a'), vote(2, 'both-bad')];
    expect(promptsOf('pending', votes)).toEqual([]);
    expect(promptsOf('accepted', votes)).toEqual(['sound 0', 'sound 1']);
    expect(promptsOf('disagree', votes)).toEqual(['sound 1']);
    expect(promptsOf('rejected', votes)).toEqual(['sound 2']);
  });

  it('go on from the pair that was heard, round at the end, and never to the same one', () => {
    const rows = pairRows(view, groups, []);
    const [one, two, three] = rows.map(({ pair }) => pair.id) as [string, string, string];
    expect(nextInQueue(rows, one)).toBe(two);
    expect(nextInQueue(rows, three)).toBe(one);
    expect(nextInQueue(rows.slice(1), one)).toBe(two);
    expect(nextInQueue(rows.slice(0, 1), one)).toBeNull();
    expect(nextInQueue([], one)).toBeNull();
  });

  it('are each rater’s own', () => {
    expect(promptsOf('pending', [vote(0, 'b', 'Bo')])).toEqual(['sound 0', 'sound 1']);
  });
});

describe('Matched loudness', () => {
  const tone = (amplitude: number) => ({
    audio: Float32Array.from({ length: 16_000 }, (_, t) => amplitude * Math.sin(t / 3)),
    sampleRateHz: 16_000,
  });

  it('brings the louder sound down to the quieter one, and leaves that as it is', () => {
    const { left, right } = matchLoudness({ left: tone(0.8), right: tone(0.2) });
    expect(left).toBeCloseTo(0.25, 3);
    expect(right).toBeCloseTo(1, 6);
  });

  it('leaves silence alone', () => {
    expect(matchLoudness({ left: tone(0.8), right: tone(0) })).toEqual({ left: 1, right: 1 });
  });
});
