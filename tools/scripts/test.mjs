/**
 * `npm test`: installs everything the tests need (packages, a browser) and runs all of them: lint, import
 * directions, types, the build, Node tests, the half-precision kernels on Dawn for Node, browser tests on wasm and
 * WebGPU, end-to-end tests.
 * `npm test -- --only node,e2e` runs some of the stages.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { halfPrecisionAdapter } from './dawn.mjs';
import { ensureBrowser, ensureDependencies, fail, npx, readJson, root } from './lib.mjs';

const reports = join(root, 'test-results');
const onlyAt = process.argv.indexOf('--only');
const only = onlyAt >= 0 ? process.argv[onlyAt + 1]?.split(',') : undefined;

await ensureDependencies();
const browser = await ensureBrowser();
console.log(`Testing in ${browser}`);
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });

const env = { STUDIO_CHROMIUM: browser, CI: process.env.CI ?? '' };
const vitest = (project) => [
  'vitest',
  'run',
  '--project',
  project,
  '--reporter=default',
  '--reporter=json',
  `--outputFile.json=${join(reports, `${project}.json`)}`,
];
const countVitest = (name) => () => {
  const report = readJson(join(reports, `${name}.json`));
  return { passed: report.numPassedTests, failed: report.numFailedTests };
};

/** Checks count as one test each. */
const stages = [
  { name: 'lint', command: ['biome', 'check', '--error-on-warnings', '.'] },
  { name: 'imports', command: ['depcruise', '--config', '.dependency-cruiser.cjs', 'src', 'workers'] },
  { name: 'types', command: ['tsc', '--noEmit'] },
  { name: 'build', command: ['vite', 'build', '--logLevel', 'warn'] },
  { name: 'node', command: vitest('node'), count: countVitest('node') },
  {
    name: 'dawn',
    command: vitest('dawn'),
    count: countVitest('dawn'),
    cannotRun: () => halfPrecisionAdapter().missing,
  },
  { name: 'browser', command: vitest('browser'), count: countVitest('browser') },
  {
    name: 'e2e',
    command: ['playwright', 'test'],
    count: () => {
      const { stats } = readJson(join(reports, 'e2e.json'));
      return { passed: stats.expected, failed: stats.unexpected + stats.flaky };
    },
  },
];
const unknown = only?.filter((name) => !stages.some((stage) => stage.name === name));
if (unknown?.length) {
  fail(`--only knows ${stages.map((stage) => stage.name).join(', ')}; it got ${unknown.join(', ')}.`);
}

const total = { passed: 0, failed: 0 };
const notRun = [];
for (const stage of stages) {
  if (only && !only.includes(stage.name)) continue;
  const started = performance.now();
  console.log(`\n── ${stage.name} ──`);
  const missing = stage.cannotRun?.();
  if (missing) {
    notRun.push(`${stage.name} was NOT RUN: ${missing}`);
    console.log(notRun.at(-1));
    continue;
  }
  const code = await npx(stage.command, { env });
  let counted = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
  if (stage.count) {
    try {
      counted = stage.count();
    } catch {
      counted = { passed: 0, failed: 0 }; // The runner ended before it wrote its report.
    }
    // A runner that failed without a failing test (a file that does not load) is a failure all the same; so is
    // one that ran nothing.
    if ((code !== 0 && counted.failed === 0) || counted.passed + counted.failed === 0) counted.failed += 1;
  }
  total.passed += counted.passed;
  total.failed += counted.failed;
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`── ${stage.name}: ${counted.passed} passed, ${counted.failed} failed, ${seconds} s`);
}
for (const line of notRun) console.log(`\n${line}`);
console.log(`\n${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed === 0 ? 0 : 1);
