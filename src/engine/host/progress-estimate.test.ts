import { describe, expect, it } from 'vitest';
import { ProgressEstimate, StageSpeeds } from './progress-estimate';

const STEPS = 4;

/** Follows `takes` takes in which encoding takes 1 s, a step 2 s, decoding 3 s and the vocoder 5 s. */
function follow(speeds: StageSpeeds, takes: number): { fraction: number; remainingSeconds: number | null }[] {
  let seconds = 100;
  const estimate = new ProgressEstimate(speeds, 2, takes, () => seconds);
  const heard: { fraction: number; remainingSeconds: number | null }[] = [];
  for (let take = 0; take < takes; take++) {
    heard.push(estimate.at(take, 'encode-text', 0, STEPS));
    seconds += 1;
    estimate.finished('encode-text');
    for (let step = 0; step < STEPS; step++) {
      heard.push(estimate.at(take, 'denoise', step, STEPS));
      seconds += 2;
      estimate.finished('denoise');
    }
    heard.push(estimate.at(take, 'decode', STEPS, STEPS));
    seconds += 3;
    estimate.finished('decode');
    heard.push(estimate.at(take, 'vocode', STEPS, STEPS));
    seconds += 5;
    estimate.finished('vocode');
  }
  heard.push(estimate.at(takes, 'encode-text', 0, STEPS));
  return heard;
}

describe('ProgressEstimate', () => {
  it('goes from 0 to 1 and never back', () => {
    const fractions = follow(new StageSpeeds(), 2).map(({ fraction }) => fraction);
    expect(fractions[0]).toBe(0);
    expect(fractions.at(-1)).toBe(1);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  });

  it('says nothing of the time before a step was measured', () => {
    const remaining = follow(new StageSpeeds(), 1).map(({ remainingSeconds }) => remainingSeconds);
    expect(remaining.slice(0, 2)).toEqual([null, null]);
    expect(remaining.slice(2).every((seconds) => seconds !== null)).toBe(true);
    expect(remaining.at(-1)).toBe(0);
  });

  it('is exact for a second request like the first', () => {
    const speeds = new StageSpeeds();
    follow(speeds, 1);
    const remaining = follow(speeds, 2).map(({ remainingSeconds }) => remainingSeconds);
    const take = [17, 16, 14, 12, 10, 8, 5];
    expect(remaining).toEqual([...take.map((seconds) => seconds + 17), ...take, 0]);
  });

  it('scales with the duration', () => {
    const speeds = new StageSpeeds();
    speeds.add('denoise', 2, 5);
    expect(speeds.secondsOf('denoise', 10)).toBe(4);
  });
});
