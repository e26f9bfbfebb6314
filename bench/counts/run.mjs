/**
 * `node bench/counts/run.mjs`: what one UNet pass of Tango 2 (batch of two, 5.12 s and 10.24 s) asks of a GPU, counted
 * without computing it, beside plain tfjs ops on the same graph. Prints JSON. The counting is pass-counts.test.ts,
 * which holds the bars as well; this runs it and prints what it counted.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** The counts by length of the sound: ours, stock (float32 weights, as tfjs has them), and ours as a part of stock. */
export function countPasses() {
  const folder = mkdtempSync(join(tmpdir(), 'tango-counts-'));
  const file = join(folder, 'counts.json');
  try {
    const { stdout, stderr } = spawnSync(
      'npx',
      ['--no-install', 'vitest', 'run', '--project', 'node', 'bench/counts'],
      {
        cwd: root,
        env: { ...process.env, STUDIO_COUNTS: file },
        encoding: 'utf8',
      },
    );
    try {
      return JSON.parse(readFileSync(file, 'utf8'));
    } catch {
      throw new Error(`Nothing was counted:\n${stdout}\n${stderr}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(countPasses(), null, 2)}\n`);
}
