import { describe, expect, it } from 'vitest';
import fixture from '../fixtures/agreement.json';
import { krippendorffAlpha, raterAgreement, raterReports, signTest } from './agreement';
import { type Choice, type Vote, verdictOf } from './vote';
import { clapWinRate } from './win-rate';

let lastId = 0;
function vote(pairId: string, choice: Choice, more: Partial<Vote> = {}): Vote {
  lastId += 1;
  return {
    id: String(lastId),
    pairId,
    rater: 'Ada',
    choice,
    left: 'a',
    reasons: [],
    heardSeconds: { a: 1, b: 1 },
    repeat: false,
    at: '2026-01-01T00:00:00Z',
    ...more,
  };
}

describe('Agreement', () => {
  it.each(fixture.alpha)(
    'is Krippendorff’s alpha as Python’s library has it ($alpha)',
    ({ units, alpha }) => {
      expect(krippendorffAlpha(units)).toBeCloseTo(alpha, 10);
    },
  );

  it('is unknown with one rater or one answer', () => {
    expect(krippendorffAlpha([['a'], ['b']])).toBeNull();
    expect(
      krippendorffAlpha([
        ['a', 'a'],
        ['a', 'a'],
      ]),
    ).toBeNull();
  });

  it('counts each rater’s last answer, no repeats and no skips', () => {
    const votes = [
      vote('p:0-1', 'b'),
      vote('p:0-1', 'a'),
      vote('p:0-1', 'b', { repeat: true }),
      vote('p:0-1', 'a', { rater: 'Bo' }),
      vote('q:0-1', 'b'),
      vote('q:0-1', 'b', { rater: 'Bo' }),
      vote('q:0-1', 'skip', { rater: 'Bo' }),
    ];
    expect(raterAgreement(votes)).toBe(1);
  });
});

describe('A pair’s verdict', () => {
  it('is the most frequent answer, a tie between two, nothing without votes', () => {
    expect(verdictOf([])).toBeNull();
    expect(verdictOf([vote('p', 'skip')])).toBeNull();
    expect(verdictOf([vote('p', 'b')])).toBe('b');
    expect(verdictOf([vote('p', 'b'), vote('p', 'a', { rater: 'Bo' })])).toBe('tie');
    expect(
      verdictOf([vote('p', 'b'), vote('p', 'a', { rater: 'Bo' }), vote('p', 'a', { rater: 'Cy' })]),
    ).toBe('a');
  });
});

describe('A rater', () => {
  it.each(fixture.signTest)('side bias: $k of $n has SciPy’s p', ({ k, n, p }) => {
    expect(signTest(k, n)).toBeCloseTo(p, 10);
  });

  it('is as consistent as the hidden repeats say', () => {
    const votes = [
      vote('p:0-1', 'a'),
      vote('q:0-1', 'b', { left: 'b' }),
      vote('p:0-1', 'a', { repeat: true, left: 'b' }),
      vote('q:0-1', 'a', { repeat: true }),
    ];
    const [report] = raterReports(votes);
    expect(report).toMatchObject({ rater: 'Ada', votes: 2, repeats: 2, consistency: 0.5, leftShare: 0.75 });
  });

  it('is caught going in circles', () => {
    const circle = [vote('g:0-1', 'a'), vote('g:1-2', 'a'), vote('g:0-2', 'b')];
    expect(raterReports(circle)[0]!.cycles).toBe(1);
    expect(raterReports(circle.with(2, vote('g:0-2', 'a')))[0]!.cycles).toBe(0);
  });
});

describe('The win rate', () => {
  it.each(fixture.wilson)('of $k in $n has SciPy’s Wilson interval', ({ k, n, interval }) => {
    const votes = Array.from({ length: n }, (_, i) => vote(`g${i}:0-1`, i < k ? 'a' : 'b'));
    const rate = clapWinRate(votes, new Map(votes.map(({ pairId }) => [pairId, 'a'])));
    expect(rate.votes).toBe(n);
    expect(rate.rate).toBeCloseTo(k / n);
    expect(rate.interval![0]).toBeCloseTo(interval[0]!, 6);
    expect(rate.interval![1]).toBeCloseTo(interval[1]!, 6);
  });

  it('counts ties and two bad sounds as halves', () => {
    const votes = [vote('p:0-1', 'tie'), vote('q:0-1', 'both-bad')];
    expect(
      clapWinRate(
        votes,
        new Map([
          ['p:0-1', 'a'],
          ['q:0-1', 'b'],
        ]),
      ).rate,
    ).toBe(0.5);
    expect(clapWinRate([], new Map()).rate).toBeNull();
  });
});
