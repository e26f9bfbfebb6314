/**
 * `node bench/gpu/encode.mjs`: milliseconds to encode a pass of Tango's UNet through Dawn, the studio's commands and those of
 * tfjs's backend in turns. No GPU is needed: none computes. Prints JSON.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { bundle } from './run.mjs';

const TURNS = 5;
const folder = await bundle('encode-pass.ts', 'encode.mjs');
const run = (options) => {
  const { stdout, stderr, status } = spawnSync(process.execPath, [join(folder, 'encode.mjs'), ...options], {
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
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
process.stdout.write(
  `${JSON.stringify({ timesAsFast: median(turns.map(({ ratio }) => ratio)), turns }, null, 2)}\n`,
);
