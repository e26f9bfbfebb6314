import { expect, test } from 'vitest';
import { fakeModel } from '../../../testing/fake-engine-client';
import { defaultSettings, type GenerateSettings } from '../../stores/settings-store';
import { durationBounds, toRequest, validateSettings } from './validate-settings';

const duration = durationBounds(fakeModel);
const valid: GenerateSettings = { ...defaultSettings, prompt: 'rain', seed: 0 };

test('the bounds themselves are allowed', () => {
  const lowest = { durationSeconds: 1, steps: 1, guidanceScale: 1, seed: 0 };
  const highest = { durationSeconds: 10.24, steps: 1000, guidanceScale: 20, seed: 2 ** 32 - 1 };
  expect(validateSettings({ ...valid, ...lowest }, duration)).toEqual({});
  expect(validateSettings({ ...valid, ...highest }, duration)).toEqual({});
});

test.each<[keyof GenerateSettings, GenerateSettings[keyof GenerateSettings], RegExp]>([
  ['prompt', '', /Describe the sound/],
  ['prompt', ' \n\t ', /Describe the sound/],
  ['prompt', 'a'.repeat(2001), /2,000 characters; this has 2,001/],
  ['negativePrompt', 'a'.repeat(2001), /2,000 characters/],
  ['durationSeconds', 0.99, /1 to 10.24; this is 0.99/],
  ['durationSeconds', 10.25, /1 to 10.24; this is 10.25/],
  ['durationSeconds', Number.NaN, /Enter seconds from 1 to 10.24\./],
  ['steps', 0, /1 to 1,000/],
  ['steps', 1001, /1 to 1,000/],
  ['steps', 2.5, /whole number/],
  ['guidanceScale', 0.5, /1 to 20/],
  ['guidanceScale', Number.POSITIVE_INFINITY, /1 to 20/],
  ['seed', -1, /0 to 4,294,967,295/],
  ['seed', 2 ** 32, /0 to 4,294,967,295/],
  ['seed', Number.NaN, /Enter a seed/],
])('%s = %s is refused with its bounds', (field, value, message) => {
  const errors = validateSettings({ ...valid, [field]: value }, duration);
  expect(errors).toEqual({ [field]: expect.stringMatching(message) });
});

test('the bounds of the duration are the model’s', () => {
  const short = durationBounds({ ...fakeModel, minDurationSeconds: 2, maxDurationSeconds: 4 });
  expect(validateSettings({ ...valid, durationSeconds: 5 }, short).durationSeconds).toMatch(/2 to 4/);
});

test('a request leaves nothing to defaults, and its texts are trimmed', () => {
  const settings = { ...valid, prompt: '  rain ', negativePrompt: ' hiss', takeCount: 3, seed: 9 };
  expect(toRequest(settings, 'default')).toEqual({
    prompt: 'rain',
    negativePrompt: 'hiss',
    steps: 20,
    guidanceScale: 3,
    scheduler: 'dpm-solver++',
    seed: 9,
    durationSeconds: 5.12,
    count: 3,
    modelId: 'default',
  });
});

test('an adapter’s strength is 0 to 2, and goes out with its id', () => {
  const at = (strength: number): GenerateSettings => ({ ...valid, adapters: [{ id: 'rain', strength }] });
  expect(validateSettings(at(0), duration)).toEqual({});
  expect(validateSettings(at(2), duration)).toEqual({});
  expect(validateSettings(at(2.05), duration)).toEqual({
    'adapter-rain': expect.stringMatching(/0 to 2; this is 2.05/),
  });
  expect(validateSettings(at(Number.NaN), duration)).toHaveProperty('adapter-rain');
  expect(toRequest(at(0.5), 'default').adapters).toEqual([{ id: 'rain', strength: 0.5 }]);
  expect(toRequest(valid, 'default')).not.toHaveProperty('adapters');
});
