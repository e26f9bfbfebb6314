import { expect, test } from 'vitest';
import { memoryStorage } from '../../testing/memory-storage';
import { createSettingsStore, defaultSettings } from './settings-store';

const KEY = 'tango-studio:settings';

test('settings and prompt are there again at the next visit', () => {
  const storage = memoryStorage();
  createSettingsStore(storage).getState().set({ prompt: 'thunder', steps: 31, seed: 42, seedLocked: true });
  expect(createSettingsStore(storage).getState()).toMatchObject({
    prompt: 'thunder',
    steps: 31,
    seed: 42,
    seedLocked: true,
    scheduler: defaultSettings.scheduler,
  });
});

test('a first visit has the defaults and a seed of its own', () => {
  const { set: _set, rerollSeed: _reroll, seed, ...rest } = createSettingsStore(memoryStorage()).getState();
  const { seed: _seed, ...defaults } = defaultSettings;
  expect(rest).toEqual(defaults);
  expect(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32).toBe(true);
});

test.each([
  ['not JSON', '{'],
  ['another shape', JSON.stringify({ state: [1, 2], version: 1 })],
  ['no state', JSON.stringify({ version: 1 })],
  ['wrong types', JSON.stringify({ state: { prompt: 7, steps: 'many', scheduler: 'euler' }, version: 1 })],
  ['an emptied field', JSON.stringify({ state: { steps: null, durationSeconds: null }, version: 1 })],
  ['another version', JSON.stringify({ state: { steps: 9 }, version: 99 })],
])('stored settings that are %s fall back to the defaults', (_what, stored) => {
  const storage = memoryStorage({ [KEY]: stored });
  expect(createSettingsStore(storage).getState()).toMatchObject({
    prompt: '',
    steps: defaultSettings.steps,
    durationSeconds: defaultSettings.durationSeconds,
    scheduler: defaultSettings.scheduler,
  });
});

test('rerolling draws another seed', () => {
  const store = createSettingsStore(memoryStorage());
  const seeds = Array.from({ length: 8 }, () => {
    store.getState().rerollSeed();
    return store.getState().seed;
  });
  expect(new Set(seeds).size).toBeGreaterThan(1);
});
