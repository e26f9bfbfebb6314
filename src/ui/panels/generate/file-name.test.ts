import { expect, test } from 'vitest';
import { wavFileName } from './file-name';

test.each([
  ['a dog barks and then a telephone rings', 42, 'a-dog-barks-and-then-a-telephone-rings_seed-42.wav'],
  ['  Café — “Überfahrt”!? ', 0, 'cafe-uberfahrt_seed-0.wav'],
  ['../../etc/passwd', 1, 'etc-passwd_seed-1.wav'],
  ['雨が降る', 2, '雨が降る_seed-2.wav'],
  ['🐕🔔', 3, 'sound_seed-3.wav'],
  ['CON', 4, 'con_seed-4.wav'],
])('%s', (prompt, seed, name) => {
  expect(wavFileName(prompt, seed)).toBe(name);
});

test('a long prompt is cut, without a dash at its end', () => {
  expect(wavFileName('rain '.repeat(400), 5)).toBe(`${'rain-'.repeat(12).slice(0, -1)}_seed-5.wav`);
});
