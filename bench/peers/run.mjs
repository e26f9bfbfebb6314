/**
 * `node bench/peers/run.mjs`: one pass of the default model's UNet here, in the same studio on plain tfjs ops, and in
 * ONNX Runtime Web, in one Chromium, on the same adapter (WebGPU) and the same threads (wasm). The peers take turns,
 * so that a busy machine is as busy for each; every output is compared with PyTorch's. Prints JSON.
 *
 * Needs what tools/peers/export_unet.py writes to bench/out/peers, and built studios (`npm run bench` builds both;
 * `--build` here does too). `--backends wasm,webgpu`, `--rounds 5`.
 */
import { createReadStream, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromiumArgs, ensureBrowser, fail, npx, root } from '../../tools/scripts/lib.mjs';

const PORTS = { ours: 4321, stock: 4322, ort: 4323 };
const STOCK_CONFIG = 'bench/vite.stock-tfjs.config.ts';
const exported = join(root, 'bench/out/peers');
const TYPES = { '.html': 'text/html', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };

/** Serves ORT's page, its files and the exported model, isolated as its threads need. */
function serveOrt() {
  const folders = {
    '/ort/': join(root, 'node_modules/onnxruntime-web/dist'),
    '/peers/': exported,
    '/': fileURLToPath(new URL('.', import.meta.url)),
  };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    const prefix = Object.keys(folders).find((start) => pathname.startsWith(start));
    const path = join(folders[prefix], pathname.slice(prefix.length));
    if (!existsSync(path) || !statSync(path).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': TYPES[extname(path)] ?? 'application/octet-stream',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Cross-Origin-Embedder-Policy': 'require-corp',
    });
    createReadStream(path).pipe(response);
  });
  return new Promise((resolve) => server.listen(PORTS.ort, () => resolve(server)));
}

function exportedInputs() {
  if (!existsSync(join(exported, 'unet.onnx'))) {
    fail(
      'Nothing is exported to bench/out/peers: run tools/peers/export_unet.py first (its docstring says how).',
    );
  }
  const shapes = JSON.parse(readFileSync(join(exported, 'shapes.json'), 'utf8'));
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => {
      const bytes = readFileSync(join(exported, `${name}.bin`));
      const values = new Float32Array(
        bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength),
      );
      return [name, { shape, data: Array.from(values) }];
    }),
  );
}

/** Runs in the studio's page: `window.pass` becomes one pass on the given inputs. */
async function prepareStudio({ backend, sample, text, mask, timestep }) {
  const { studio } = window;
  const info = await studio.setBackend(backend);
  const tensor = ({ data, shape }) => ({ data: new Float32Array(data), shape });
  const request = {
    sample: tensor(sample),
    timestep: timestep.data[0],
    textStates: tensor(text),
    textMask: tensor(mask),
  };
  window.pass = async () => Array.from((await studio.stages.predict(request)).data);
  return { adapter: info.adapter, wasm: info.wasm };
}

/** Runs in a page: milliseconds of one pass, results read back. */
async function timedPass() {
  const started = performance.now();
  const values = await window.pass();
  return { ms: performance.now() - started, values };
}

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** The largest difference, relative to the root mean square of what is expected. */
function relativeError(values, expected) {
  const rms = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  return Math.max(...expected.map((value, i) => Math.abs(value - values[i]))) / rms;
}

/**
 * @param {{ backends: string[], rounds: number }} options
 * @returns medians in milliseconds, times of every round, and how many times as long each peer takes, by backend
 */
export async function comparePeers({ backends, rounds }) {
  const inputs = exportedInputs();
  const executablePath = await ensureBrowser();
  const { chromium } = await import('playwright');
  const { preview } = await import('vite');
  const profile = mkdtempSync(join(tmpdir(), 'tango-peers-'));
  const servers = [
    await preview({ root, preview: { port: PORTS.ours, strictPort: true }, logLevel: 'error' }),
    await preview({
      root,
      configFile: join(root, STOCK_CONFIG),
      preview: { port: PORTS.stock, strictPort: true },
      logLevel: 'error',
    }),
    await serveOrt(),
  ];
  const context = await chromium.launchPersistentContext(profile, { executablePath, args: chromiumArgs });
  const results = {};
  try {
    for (const backend of backends) {
      const pages = {};
      let device;
      for (const peer of ['ours', 'stock']) {
        const page = await context.newPage();
        await page.goto(`http://localhost:${PORTS[peer]}/`);
        await page.waitForFunction(async () => Boolean((await window.studio?.info())?.model), undefined, {
          timeout: 120_000,
        });
        const opened = await page.evaluate(prepareStudio, { backend, ...inputs });
        device ??= opened;
        pages[peer] = page;
      }
      const threads = backend === 'wasm' ? device.wasm.threads : Math.min(2, cpus().length);
      pages.ort = await context.newPage();
      await pages.ort.goto(`http://localhost:${PORTS.ort}/ort.html?backend=${backend}&threads=${threads}`);
      await pages.ort.waitForFunction(() => window.ready, undefined, { timeout: 300_000 });
      const times = { ours: [], stock: [], ort: [] };
      const errors = {};
      // The first round warms up: compiles, uploads, fills caches.
      for (let round = 0; round <= rounds; round++) {
        for (const [peer, page] of Object.entries(pages)) {
          const { ms, values } = await page.evaluate(timedPass);
          if (round === 0) errors[peer] = relativeError(values, inputs.expected.data);
          else times[peer].push(ms);
        }
      }
      for (const [peer, error] of Object.entries(errors)) {
        if (!(error < 1e-2)) fail(`${peer} on ${backend} is off by ${error} of the RMS: no fair comparison.`);
      }
      for (const page of Object.values(pages)) await page.close();
      const medians = Object.fromEntries(Object.entries(times).map(([peer, list]) => [peer, median(list)]));
      const ratio = (peer) => median(times[peer].map((ms, round) => ms / times.ours[round]));
      results[backend] = {
        device,
        threads,
        medianMs: medians,
        times,
        errorsToPyTorch: errors,
        timesAsLongAsOurs: { stock: ratio('stock'), ort: ratio('ort') },
      };
    }
  } finally {
    await context.close();
    for (const server of servers) server.close();
    rmSync(profile, { recursive: true, force: true });
  }
  return results;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const option = (name, fallback) =>
    args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : fallback;
  if (args.includes('--build')) {
    if ((await npx(['vite', 'build', '--logLevel', 'warn'], { quiet: true })) !== 0)
      fail('The build failed.');
    if ((await npx(['vite', 'build', '--config', STOCK_CONFIG, '--logLevel', 'warn'], { quiet: true })) !== 0)
      fail('The stock build failed.');
  }
  const results = await comparePeers({
    backends: option('backends', 'wasm,webgpu').split(','),
    rounds: Number(option('rounds', '5')),
  });
  process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  process.exit(0);
}
