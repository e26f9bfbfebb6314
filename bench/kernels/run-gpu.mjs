/**
 * `node bench/kernels/run-gpu.mjs [rounds]`: each WGSL kernel in both forms beside tfjs's own programs, forward and
 * with the gradient of its input, on the browser's adapter. Prints JSON.
 */
import { fileURLToPath } from 'node:url';
import { createServer } from 'vite';
import { chromiumArgs, ensureBrowser, root } from '../../tools/scripts/lib.mjs';

/** @param {{ rounds: number, repeats?: number }} options */
export async function benchGpuKernels({ rounds, repeats = 3 }) {
  const server = await createServer({
    root,
    configFile: false,
    server: { port: 4331, watch: null, hmr: false },
    optimizeDeps: {
      include: [
        '@tensorflow/tfjs-core',
        '@tensorflow/tfjs-core/dist/register_all_gradients',
        '@tensorflow/tfjs-backend-webgpu',
        '@tensorflow/tfjs-backend-webgpu/dist/buffer_manager',
        '@tensorflow/tfjs-backend-wasm',
        'idb-keyval',
      ],
    },
    logLevel: 'error',
  });
  await server.listen();
  const { chromium } = await import('playwright');
  const browser = await chromium.launch({ executablePath: await ensureBrowser(), args: chromiumArgs });
  try {
    const page = await browser.newPage();
    await page.goto('http://localhost:4331/bench/kernels/gpu.html');
    await page.waitForFunction(() => window.bench, undefined, { timeout: 120_000 });
    return await page.evaluate(([count, each]) => window.bench(count, each), [rounds, repeats]);
  } finally {
    await browser.close();
    await server.close();
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const results = await benchGpuKernels({ rounds: Number(process.argv[2] ?? '5') });
  process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
}
