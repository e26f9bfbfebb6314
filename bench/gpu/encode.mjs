/**
 * `node bench/gpu/encode.mjs`: milliseconds to encode a pass of Tango's UNet through Dawn, the studio's commands and those of
 * tfjs's backend in turns. No GPU is needed: none computes. Prints JSON.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { median } from '../peers/run.mjs';
import { bundle } from './run.mjs';

const TURNS = 5;

/** @returns {Promise<{ timesAsFast: number, turns: object[] }>} by the medians of each turn */
export async function encodePasses() {
  const program = join(await bundle('encode-pass.ts', 'encode.mjs'), 'encode.mjs');
  const run = (options) => {
    const { stdout, stderr, status } = spawnSync(process.execPath, [program, ...options], {
      encoding: 'utf8',
    });
    if (status !== 0) throw new Error(`The bench failed:\n${stderr}`);
    return JSON.parse(stdout.trim().split('\n').at(-1));
  };
  const turns = Array.from({ length: TURNS }, () => {
    const tfjs = run(['--plain']);
    const studio = run([]);
    return { studio, tfjs, ratio: tfjs.median / studio.median };
  });
  return { timesAsFast: median(turns.map(({ ratio }) => ratio)), turns };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(`${JSON.stringify(await encodePasses(), null, 2)}\n`);
}
