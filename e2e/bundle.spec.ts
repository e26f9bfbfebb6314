import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

/** A message of tfjs-core's gradient tape: present wherever the library is bundled. */
const TFJS_SIGNATURE = 'Cannot compute gradient of y=f(x) with respect to x';
const BUDGET_BYTES = 300_000;
const dist = join(import.meta.dirname, '..', 'dist');

/** The scripts the page loads before a person does anything: the entry and what it imports statically. */
function pageScripts(): string[] {
  const html = readFileSync(join(dist, 'index.html'), 'utf8');
  const pending = [...html.matchAll(/(?:src|href)="\/?(assets\/[^"]+\.js)"/g)].map((match) => match[1] ?? '');
  const seen = new Set<string>();
  while (pending.length > 0) {
    const path = pending.pop() ?? '';
    if (seen.has(path)) continue;
    seen.add(path);
    const text = readFileSync(join(dist, path), 'utf8');
    for (const match of text.matchAll(/(?:from|import)\s*"\.\/([^"]+\.js)"/g))
      pending.push(`assets/${match[1]}`);
  }
  return [...seen];
}

test('the page holds no tensor library, and the worker does', () => {
  const scripts = pageScripts();
  expect(scripts.length).toBeGreaterThan(0);
  for (const path of scripts)
    expect(readFileSync(join(dist, path), 'utf8'), path).not.toContain(TFJS_SIGNATURE);

  const others = readdirSync(join(dist, 'assets')).filter(
    (name) => name.endsWith('.js') && !scripts.includes(`assets/${name}`),
  );
  const withTfjs = others.filter((name) =>
    readFileSync(join(dist, 'assets', name), 'utf8').includes(TFJS_SIGNATURE),
  );
  expect(
    withTfjs.length,
    'the signature must be found somewhere, or this test proves nothing',
  ).toBeGreaterThan(0);
});

test('the page starts from at most 300 kB of gzipped script', () => {
  const bytes = pageScripts().reduce(
    (sum, path) => sum + gzipSync(readFileSync(join(dist, path))).byteLength,
    0,
  );
  expect(bytes).toBeLessThanOrEqual(BUDGET_BYTES);
});

test('the names of AudioSet’s classes come with the first sound that is asked about, and with their licence', () => {
  const files = readdirSync(join(dist, 'assets')).filter((name) => name.endsWith('.js'));
  const textOf = (name: string) => readFileSync(join(dist, 'assets', name), 'utf8');
  const holding = files.filter((name) => textOf(name).includes('Telephone dialing, DTMF'));
  expect(holding).toEqual([expect.stringMatching(/^audioset-classes-/)]);
  expect(textOf(holding[0]!)).toContain('CC BY-SA 4.0');
});
