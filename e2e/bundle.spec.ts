import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, test } from '@playwright/test';

/** A message of tfjs-core's gradient tape: present wherever the library is bundled. */
const TFJS_SIGNATURE = 'Cannot compute gradient of y=f(x) with respect to x';
/** A key of transformers.js's configs. */
const TRANSFORMERS_SIGNATURE = 'transformers.js_config';
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

test('transformers.js and ONNX Runtime are in files of their own, which neither the page nor the engine imports', () => {
  const scripts = readdirSync(join(dist, 'assets')).filter((name) => /\.m?js$/.test(name));
  const having = (text: string): string[] =>
    scripts.filter((name) => readFileSync(join(dist, 'assets', name), 'utf8').includes(text));
  expect(having(TRANSFORMERS_SIGNATURE)).toEqual([expect.stringMatching(/^sentence-embedder\.worker-/)]);
  // The engine knows the worker's address only, and the worker the runtime's.
  const worker = having(TRANSFORMERS_SIGNATURE)[0] ?? '';
  expect(having(worker).filter((name) => name !== worker)).toEqual([
    expect.stringMatching(/^engine\.worker-/),
  ]);
  const wasm = readdirSync(join(dist, 'assets')).filter((name) => /^ort-.*\.wasm$/.test(name));
  expect(wasm).toHaveLength(1);
  expect(having(wasm[0] ?? '')).toEqual([worker]);
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
