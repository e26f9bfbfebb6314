/**
 * `npm run bench`: builds the studio and the same studio on plain tfjs ops, measures both in one Chromium, and
 * prints JSON: time of each stage on wasm and WebGPU, the UNet pass beside stock tfjs, a whole clip, first preview,
 * time to ready, bundle size, peak memory; the counts of a full-size pass and what it takes to encode one; and, when
 * tools/peers/export_unet.py has been run, the UNet pass beside its peers in turns. `-- --backends wasm` leaves WebGPU out
 * (minutes on a CPU adapter); `-- --repeats 5` sets how many warm runs a median is taken from.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { countPasses } from '../../bench/counts/run.mjs';
import { encodePasses } from '../../bench/gpu/encode.mjs';
import { comparePeers, exportedModels } from '../../bench/peers/run.mjs';
import { chromiumArgs, ensureBrowser, ensureDependencies, fail, npx, root } from './lib.mjs';

const args = process.argv.slice(2);
const option = (name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at >= 0 ? args[at + 1] : fallback;
};
const backends = option('backends', 'wasm,webgpu').split(',');
const repeats = Number(option('repeats', '5'));
const PROMPT = 'a dog barks and then a telephone rings';

await ensureDependencies();
const executablePath = await ensureBrowser();
const { chromium } = await import('playwright');
const { preview } = await import('vite');

if ((await npx(['vite', 'build', '--logLevel', 'warn'])) !== 0) fail('The build failed.');
const stockConfig = 'bench/vite.stock-tfjs.config.ts';
if ((await npx(['vite', 'build', '--config', stockConfig, '--logLevel', 'warn'])) !== 0)
  fail('The stock build failed.');

/** @param {string | undefined} configFile */
async function serve(configFile, port) {
  const server = await preview({
    root,
    configFile: configFile ? join(root, configFile) : undefined,
    preview: { port, strictPort: true },
    logLevel: 'error',
  });
  return { url: `http://localhost:${port}/`, close: () => server.close() };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rounded = (value) => Math.round(value * 1000) / 1000;

/** Runs in the page: the median seconds of each stage through window.studio, after one warm-up. */
async function measureStages({ backend, prompt, runs, latents: given }) {
  const { studio } = window;
  const seconds = async (work, count) => {
    await work();
    const times = [];
    for (let i = 0; i < count; i++) {
      const started = performance.now();
      await work();
      times.push((performance.now() - started) / 1000);
    }
    return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
  };
  const info = await studio.setBackend(backend);
  const text = await studio.stages.encodeText([prompt, '']);
  // A peer is given the latents: only its UNet is measured, and a generation on it may take minutes.
  const probe = given ? null : (await studio.generate({ prompt, steps: 1, seed: 1, returnStages: true }))[0];
  const latents = given ?? probe.stages.initialLatents;
  const pair = {
    data: new Float32Array([...latents.data, ...latents.data]),
    shape: [2, ...latents.shape.slice(1)],
  };
  const predict = () =>
    studio.stages.predict({ sample: pair, timestep: 500, textStates: text.states, textMask: text.mask });
  const unetPass = await seconds(predict, runs);
  const sample = Array.from((await predict()).data.slice(0, 8));
  if (!probe) return { unetPass, sample };
  const { mel } = probe.stages;
  return {
    latents: { data: Array.from(latents.data), shape: latents.shape },
    backend: info.backend,
    adapter: info.adapter,
    wasm: info.wasm,
    encodeText: await seconds(() => studio.stages.encodeText([prompt, '']), runs),
    unetPass,
    decode: await seconds(() => studio.stages.decode(latents), runs),
    vocode: await seconds(() => studio.stages.vocode(mel), runs),
    sample,
  };
}

/** Runs in the page: one whole clip, with the time of the first preview. */
async function measureClip({ prompt, steps }) {
  const started = performance.now();
  let firstPreview = null;
  const stageStarts = {};
  const since = () => (performance.now() - started) / 1000;
  await window.studio.generate(
    { prompt, steps, seed: 7, scheduler: 'dpm-solver++', guidanceScale: 3, durationSeconds: 5.12 },
    {
      onProgress: (progress) => {
        stageStarts[progress.stage] ??= since();
        if (progress.preview) firstPreview ??= since();
      },
    },
  );
  const total = since();
  const { memory } = await window.studio.info();
  const pageMemory = await performance.measureUserAgentSpecificMemory?.();
  return { steps, total, firstPreview, stageStarts, memory, pageBytes: pageMemory?.bytes ?? null };
}

/** Seconds from navigation to a loaded model, with a warm HTTP cache (second visit in one profile). */
async function measureReady(context, url) {
  const times = [];
  for (let visit = 0; visit < 4; visit++) {
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForFunction(async () => Boolean((await window.studio?.info())?.model), undefined, {
      timeout: 60_000,
    });
    times.push((await page.evaluate(() => performance.now())) / 1000);
    await page.close();
  }
  return { cold: times[0], warm: median(times.slice(1)) };
}

function bundleSizes() {
  const assets = join(root, 'dist/assets');
  const html = readFileSync(join(root, 'dist/index.html'), 'utf8');
  const files = readdirSync(assets).filter((name) => /\.(js|css)$/.test(name));
  const size = (name) => gzipSync(readFileSync(join(assets, name))).byteLength;
  const main = files.filter((name) => name.endsWith('.js') && html.includes(name));
  const worker = files.filter((name) => name.includes('worker'));
  const sum = (names) => names.reduce((total, name) => total + size(name), 0);
  return { mainGzipBytes: sum(main), workerGzipBytes: sum(worker) };
}

const deepRound = (value) =>
  JSON.parse(JSON.stringify(value, (_, item) => (typeof item === 'number' ? rounded(item) : item)));
const profile = mkdtempSync(join(tmpdir(), 'tango-bench-'));
const ours = await serve(undefined, 4311);
const stock = await serve(stockConfig, 4312);
const result = {
  date: new Date().toISOString(),
  machine: {
    cpu: cpus()[0]?.model.trim(),
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  },
  bundle: bundleSizes(),
  backends: {},
};
try {
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: chromiumArgs });
  result.browser =
    context.browser()?.version() ?? (await (await context.newPage()).evaluate(() => navigator.userAgent));
  result.readySeconds = await measureReady(context, ours.url);
  for (const backend of backends) {
    const runs = backend === 'webgpu' ? Math.min(repeats, 3) : repeats;
    const page = await context.newPage();
    await page.goto(ours.url);
    await page.waitForFunction(() => window.studio !== undefined);
    const { latents, ...stages } = await page.evaluate(measureStages, { backend, prompt: PROMPT, runs });
    const clip = await page.evaluate(measureClip, { prompt: PROMPT, steps: backend === 'webgpu' ? 4 : 20 });
    await page.close();

    const stockPage = await context.newPage();
    await stockPage.goto(stock.url);
    await stockPage.waitForFunction(() => window.studio !== undefined);
    const peer = await stockPage.evaluate(measureStages, { backend, prompt: PROMPT, runs, latents });
    await stockPage.close();
    const difference = Math.max(...peer.sample.map((value, i) => Math.abs(value - stages.sample[i])));
    if (!(difference < 1e-2))
      fail(`The stock UNet gives other numbers (off by ${difference}): no fair comparison.`);
    result.backends[backend] = {
      ...stages,
      clip,
      stockTfjs: { unetPass: peer.unetPass, ratio: peer.unetPass / stages.unetPass, difference },
    };
  }
  await context.close();
} finally {
  await ours.close();
  await stock.close();
  rmSync(profile, { recursive: true, force: true });
}
result.fullSizePass = countPasses();
result.encodeMs = await encodePasses();
const models = exportedModels();
if (models.length > 0) result.peers = await comparePeers({ models, backends, rounds: repeats });
console.log(JSON.stringify(deepRound(result), null, 2));
process.exit(0);
