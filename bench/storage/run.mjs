/**
 * `node bench/storage/run.mjs [--bytes 500000000]`: keeps a model of so many bytes in a fresh browser profile and reads it,
 * once as bare chunks and once as the engine does (folder, tensor after tensor, GPU), in turns. Prints JSON; fails when
 * the engine's way is slower than 80 % of the bare one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromiumArgs, ensureBrowser, ensureDependencies, fail, root } from '../../tools/scripts/lib.mjs';

const at = process.argv.indexOf('--bytes');
const bytes = at >= 0 ? Number(process.argv[at + 1]) : 500e6;

await ensureDependencies();
const executablePath = await ensureBrowser();
const { chromium } = await import('playwright');
const { createServer } = await import('vite');
const server = await createServer({ root, server: { port: 4187, strictPort: true }, logLevel: 'error' });
await server.listen();
const profile = mkdtempSync(join(tmpdir(), 'studio-storage-'));
try {
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: chromiumArgs });
  const page = await context.newPage();
  page.on('pageerror', ({ message }) => console.error(message));
  await page.goto('http://localhost:4187/bench/storage/storage.html');
  await page.waitForFunction(() => 'measure' in window);
  const rates = {};
  for (const phase of ['write', 'read', 'remove']) {
    Object.assign(rates, await page.evaluate((request) => window.measure(request), { phase, bytes }));
  }
  await context.close();
  const ofRaw = rates.modelMBs / rates.rawMBs;
  console.log(JSON.stringify({ megabytes: bytes / 1e6, ...rates, ofRaw }, null, 2));
  if (ofRaw < 0.8)
    fail(`A kept model is read at ${Math.round(ofRaw * 100)} % of its bare chunks; 80 % is asked for.`);
} finally {
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}
