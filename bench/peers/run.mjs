/**
 * `node bench/peers/run.mjs`: one UNet pass here, in the studio's model on plain tfjs ops, in jax-js and in ONNX
 * Runtime Web: one Chromium, one adapter (WebGPU) or the same threads (wasm), each peer in a worker of its own page.
 * The peers take turns, so that a busy machine is as busy for each; every output is compared with PyTorch's. Prints
 * JSON.
 *
 * Needs what tools/peers/export_unet.py writes to bench/out/peers/<model>. `--models default,tango-quarter`,
 * `--backends wasm,webgpu`, `--peers studio,stock,jax,ort`, `--rounds 5`.
 */
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromiumArgs, ensureBrowser, fail, root } from '../../tools/scripts/lib.mjs';
import { stockKernelsInstead } from '../stock-tfjs/plugin.mjs';

const EXPORTED = 'bench/out/peers';
/** Page by peer: the stock peer is the studio's page on a server that fills the kernels' seam with tfjs ops. */
const PEERS = {
  studio: { page: 'studio', server: 'ours' },
  stock: { page: 'studio', server: 'stock' },
  jax: { page: 'jax', server: 'ours' },
  ort: { page: 'ort', server: 'ours' },
};
const PORTS = { ours: 4321, stock: 4322 };
/** Of the output's RMS; sums in another order give 1e-5, ONNX Runtime's WebGPU kernels 3e-4. */
const LARGEST_ERROR = 1e-2;

/** Serves the repository with the kernels' seam filled by them ('ours') or by tfjs ops ('stock'). */
export async function startServer(name) {
  const { createServer } = await import('vite');
  const plugins = () => (name === 'stock' ? [stockKernelsInstead()] : []);
  const server = await createServer({
    root,
    configFile: false,
    cacheDir: join(root, `bench/out/vite-${name}`),
    plugins: plugins(),
    worker: { format: 'es', plugins },
    publicDir: false,
    server: {
      port: PORTS[name],
      strictPort: true,
      watch: null,
      hmr: false,
      // The packages may lie elsewhere behind a link.
      fs: { allow: [root, realpathSync(join(root, 'node_modules'))] },
      headers: {
        'Cross-Origin-Opener-Policy': 'same-origin',
        'Cross-Origin-Embedder-Policy': 'credentialless',
      },
    },
    optimizeDeps: {
      include: [
        '@tensorflow/tfjs-core',
        '@tensorflow/tfjs-core/dist/register_all_gradients',
        '@tensorflow/tfjs-core/dist/tape',
        '@tensorflow/tfjs-backend-webgpu',
        '@tensorflow/tfjs-backend-webgpu/dist/buffer_manager',
        '@tensorflow/tfjs-backend-wasm',
        '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.js',
        '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-threaded-simd.js',
        '@jax-js/jax',
      ],
      exclude: ['onnxruntime-web'],
      noDiscovery: true,
    },
    logLevel: 'error',
  });
  await server.listen();
  return server;
}

function exportedModel(model) {
  const file = (name) => join(root, EXPORTED, model, name);
  if (!existsSync(file('unet.onnx'))) {
    fail(`There is no ${EXPORTED}/${model}: run tools/peers/export_unet.py first (its docstring says how).`);
  }
  const { buffer, byteOffset, byteLength } = readFileSync(file('expected.bin'));
  return {
    shapes: JSON.parse(readFileSync(file('shapes.json'), 'utf8')),
    expected: Array.from(new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength))),
  };
}

/** Of an even number, the mean of the middle two. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.floor(sorted.length / 2)]) / 2;
}

/** The largest difference, relative to the root mean square of what is expected. */
export function relativeError(values, expected) {
  const rms = Math.sqrt(expected.reduce((sum, value) => sum + value * value, 0) / expected.length);
  return expected.reduce((worst, value, i) => Math.max(worst, Math.abs(value - values[i])), 0) / rms;
}

async function compareOne(context, { model, backend, peers, rounds }) {
  const { shapes, expected } = exportedModel(model);
  const pages = {};
  const devices = {};
  let threads = 1;
  for (const peer of peers) {
    const page = await context.newPage();
    page.setDefaultTimeout(0);
    await page.goto(`http://localhost:${PORTS[PEERS[peer].server]}/bench/peers/peer.html`);
    await page.waitForFunction(() => window.openPeer);
    const setup = { backend, threads, folder: `/${EXPORTED}/${model}/` };
    devices[peer] = await page.evaluate(
      ([name, given]) => window.openPeer(name, given),
      [PEERS[peer].page, setup],
    );
    // The studio comes first and says how many threads its backend took: the others get as many.
    threads = devices[peer].wasm?.threads ?? threads;
    pages[peer] = page;
  }
  const times = Object.fromEntries(peers.map((peer) => [peer, []]));
  const errors = {};
  const firstMs = {};
  // The first round warms up: compiles, uploads, fills caches.
  for (let round = 0; round <= rounds; round++) {
    for (const [peer, page] of Object.entries(pages)) {
      const { ms, values } = await page.evaluate(() => window.pass());
      process.stderr.write(`${model} ${backend} ${peer} round ${round}: ${Math.round(ms)} ms\n`);
      const error = relativeError(values, expected);
      errors[peer] = Math.max(errors[peer] ?? 0, error);
      if (!(error < LARGEST_ERROR)) {
        if (peer === 'studio') fail(`The studio on ${backend} is off by ${error} of the RMS.`);
        process.stderr.write(`${peer} on ${backend} is off by ${error} of the RMS: it is left out.\n`);
        await page.close();
        delete pages[peer];
        delete times[peer];
        firstMs[peer] = ms;
        continue;
      }
      if (round === 0) firstMs[peer] = ms;
      else times[peer].push(ms);
    }
  }
  for (const page of Object.values(pages)) await page.close();
  const medianMs = Object.fromEntries(Object.entries(times).map(([peer, list]) => [peer, median(list)]));
  const wrong = peers.filter((peer) => !(peer in times));
  const others = peers.filter((peer) => peer !== 'studio' && peer in times);
  const timesAsLong = Object.fromEntries(
    others.map((peer) => [peer, median(times[peer].map((ms, round) => ms / times.studio[round]))]),
  );
  return {
    ...{ model, backend, shapes, devices, medianMs, timesAsLong, firstMs, times },
    errorsToPyTorch: errors,
    /** Peers whose numbers are not PyTorch's: no fair comparison. */
    wrong,
  };
}

/**
 * @param {{ models: string[], backends: string[], peers?: string[], rounds: number }} options
 * @returns one entry a model and backend: medians in milliseconds, every round's, and how many times as long as the
 *   studio each peer takes (the median over the rounds)
 */
export async function comparePeers({ models, backends, peers = Object.keys(PEERS), rounds }) {
  const unknown = peers.filter((peer) => !(peer in PEERS));
  if (unknown.length > 0)
    fail(`--peers knows ${Object.keys(PEERS).join(', ')}; it got ${unknown.join(', ')}.`);
  const executablePath = await ensureBrowser();
  const { chromium } = await import('playwright');
  const servers = [];
  for (const name of Object.keys(PORTS)) servers.push(await startServer(name));
  const browser = await chromium.launch({ executablePath, args: chromiumArgs });
  const results = [];
  try {
    for (const model of models) {
      for (const backend of backends) {
        // A fresh context each: nothing of the one before takes memory.
        const context = await browser.newContext();
        results.push(await compareOne(context, { model, backend, peers, rounds }));
        await context.close();
      }
    }
  } finally {
    await browser.close();
    for (const server of servers) await server.close();
  }
  return results;
}

/** The models that have been exported. */
export const exportedModels = () =>
  ['default', 'tango-quarter'].filter((model) => existsSync(join(root, EXPORTED, model, 'unet.onnx')));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const args = process.argv.slice(2);
  const option = (name, fallback) =>
    args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : fallback;
  const results = await comparePeers({
    models: option('models', 'default,tango-quarter').split(','),
    backends: option('backends', 'wasm,webgpu').split(','),
    peers: option('peers', Object.keys(PEERS).join(',')).split(','),
    rounds: Number(option('rounds', '5')),
  });
  process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
  process.exit(0);
}
