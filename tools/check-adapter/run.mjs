/**
 * `node tools/check-adapter/run.mjs --python PYTHON`: trains a few steps in Chromium through `window.studio`, exports the
 * run in every form, and lets check.py load each with PEFT and diffusers. `--build DIST` serves a build that is there,
 * `--keep DIR` keeps the files.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { chromiumArgs, ensureBrowser, fail, npx, root } from '../scripts/lib.mjs';

const args = process.argv.slice(2);
const option = (name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at >= 0 ? args[at + 1] : fallback;
};
const python = option('python', 'python3');
const build = option('build', null);
const folder = option('keep', mkdtempSync(join(tmpdir(), 'studio-adapter-')));
const PORT = 4391;

const { chromium } = await import('playwright');
const { preview } = await import('vite');
if (!build && (await npx(['vite', 'build', '--logLevel', 'warn'])) !== 0) fail('The build failed.');
const server = await preview({
  root,
  ...(build ? { build: { outDir: resolve(build) } } : {}),
  preview: { port: PORT, strictPort: true },
  logLevel: 'warn',
});
const executablePath = await ensureBrowser();
const browser = await chromium.launch({ ...(executablePath ? { executablePath } : {}), args: chromiumArgs });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(0);
  await page.goto(`http://localhost:${PORT}/`);
  await page.waitForFunction(() => Boolean(window.studio));
  const files = await page.evaluate(async () => {
    const { studio } = window;
    await studio.setBackend('wasm');
    await studio.models.use('default');
    const take = async (prompt, seed, steps) =>
      (await studio.generate({ prompt, seed, steps, durationSeconds: 1 }))[0];
    const pairs = [];
    for (const prompt of ['a dog barks', 'a bell rings']) {
      pairs.push({ prompt, winner: await take(prompt, 1, 4), loser: await take(prompt, 2, 2) });
    }
    const { id } = await studio.train.start({
      pairs,
      rank: 4,
      alpha: 8,
      targets: 'attention-feed-forward-and-convolutions',
      learningRate: 5e-3,
      warmupSteps: 0,
      dpoEpochs: 6,
      pairsPerStep: 2,
    });
    const exported = [
      ...(await studio.train.exportAdapter(id)),
      await studio.train.exportMerged(id, 'diffusers'),
      await studio.train.exportMerged(id, 'tango'),
      await studio.train.exportMetrics(id, 'jsonl'),
      await studio.train.exportMetrics(id, 'tensorboard'),
    ];
    const base64 = async (blob) => {
      const bytes = new Uint8Array(await blob.arrayBuffer());
      let text = '';
      for (let i = 0; i < bytes.length; i += 0x8000)
        text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
      return btoa(text);
    };
    return Promise.all(exported.map(async ({ path, blob }) => ({ path, content: await base64(blob) })));
  });
  for (const { path, content } of files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), Buffer.from(content, 'base64'));
  }
} finally {
  await browser.close();
  await server.close();
}
console.log(`Exported to ${folder}`);
const check = [join(root, 'tools/check-adapter/check.py'), folder, join(root, 'public/models/default')];
if (spawnSync(python, check, { stdio: 'inherit' }).status !== 0) fail('check.py failed: see above.');
