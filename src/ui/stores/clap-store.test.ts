import { expect, test } from 'vitest';
import { NetworkError } from '../../common/errors';
import type { Sound } from '../../engine/protocol';
import { fakeClap, fakeClapModels } from '../../testing/fake-clap';
import { bestTakes, createClapStore, scoreOf, sortedByScore } from './clap-store';

const [first, second] = fakeClapModels.map(({ id }) => id) as [string, string];
const sound = (id: string, level = 1): Sound =>
  ({ id, audio: Float32Array.of(level), sampleRateHz: 16_000, parameters: { prompt: 'rain' } }) as Sound;

test('a take gets the score of each CLAP, and is asked about once', async () => {
  const clap = fakeClap();
  let asked = 0;
  const store = createClapStore({
    clap: {
      ...clap,
      score: (...args) => {
        asked += 1;
        return clap.score(...args);
      },
    },
  });
  await Promise.all([store.getState().score(sound('a')), store.getState().score(sound('a'))]);
  await store.getState().score(sound('a'));
  expect(asked).toBe(1);
  expect(store.getState().scores.a?.map(({ modelId }) => modelId)).toEqual([first, second]);
  expect(store.getState()).toMatchObject({ waiting: [], failure: null });
});

test('a failure is kept in words, and the next take tries again', async () => {
  const clap = fakeClap();
  let fails = true;
  const store = createClapStore({
    clap: {
      ...clap,
      score: (...args) => (fails ? Promise.reject(new NetworkError('Gone.')) : clap.score(...args)),
    },
  });
  await store.getState().score(sound('a'));
  expect(store.getState().failure).toMatchObject({ code: 'network', message: 'Gone.' });
  fails = false;
  await store.getState().score(sound('a'));
  expect(store.getState().failure).toBeNull();
  expect(scoreOf(store.getState().scores.a, first)).toBeTypeOf('number');
});

test('takes are sorted by one model, those without a score behind; the best needs a rival', () => {
  const score = (a: number, b: number) => [
    { modelId: first, modelName: 'A', score: a },
    { modelId: second, modelName: 'B', score: b },
  ];
  const scores = { one: score(0.1, 0.9), two: score(0.5, 0.2) };
  const takes = ['none', 'one', 'two'].map((id) => ({ id }));
  expect(sortedByScore(takes, scores, first).map(({ id }) => id)).toEqual(['two', 'one', 'none']);
  expect(sortedByScore(takes, scores, second).map(({ id }) => id)).toEqual(['one', 'two', 'none']);
  expect(sortedByScore(takes, scores, null)).toBe(takes);
  expect([...bestTakes(['none', 'one', 'two'], scores)]).toEqual([
    [first, 'two'],
    [second, 'one'],
  ]);
  expect(bestTakes(['one', 'none'], scores).size).toBe(0);
});
