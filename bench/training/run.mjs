/**
 * `node bench/training/run.mjs --python .venv/bin/python`: seconds of a step of LoRA diffusion-DPO (one pair, reference
 * pass, gradients, AdamW), in the studio on wasm and WebGPU in Chromium and in PyTorch on the same cores. PyTorch goes
 * before and after the studio, so that a machine whose speed changes is seen to. The gradients are compared. Prints JSON.
 *
 * `--models default,tango-quarter`, `--backends wasm,webgpu`, `--rounds 5`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { chromiumArgs, ensureBrowser, fail, root } from '../../tools/scripts/lib.mjs';
import { median, relativeError, startServer } from '../peers/run.mjs';

const args = process.argv.slice(2);
const option = (name, fallback) =>
  args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : fallback;
const models = option('models', 'default,tango-quarter').split(',');
const backends = option('backends', 'wasm,webgpu').split(',');
const rounds = Number(option('rounds', '5'));
const python = option('python', 'python3');
const threads = cpus().length;
/** Of the gradients' RMS: the loss multiplies float32's last bits by β / 2 = 1000. */
const LARGEST_ERROR = 2e-2;

/** Seconds of PyTorch's warm steps; the same inputs and gradients are written each time. */
function torchSeconds(model) {
  const out = join(root, 'bench/out/training', model);
  const width = model === 'default' ? [] : ['--width', '0.25'];
  const script = [join(root, 'tools/peers/export_training_step.py'), '--out', out, ...width];
  const limits = ['--threads', String(threads), '--rounds', String(rounds)];
  if (spawnSync(python, [...script, ...limits], { cwd: root, stdio: 'inherit' }).status !== 0)
    fail('export_training_step.py failed: see above. It needs tools/requirements.txt.');
  return JSON.parse(readFileSync(join(out, 'torch.json'), 'utf8')).seconds;
}

async function studioSteps(browser, model, backend) {
  const bytes = readFileSync(join(root, 'bench/out/training', model, 'expected.bin'));
  const expected = Array.from(
    new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
  );
  const context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(0);
  await page.goto('http://localhost:4321/bench/peers/peer.html');
  await page.waitForFunction(() => window.openPeer);
  const setup = { backend, threads, folder: `/bench/out/training/${model}/` };
  const device = await page.evaluate((given) => window.openPeer('training', given), setup);
  const seconds = [];
  let error = 0;
  for (let round = 0; round <= rounds; round++) {
    const { ms, values } = await page.evaluate(() => window.pass());
    process.stderr.write(`${model} ${backend} step ${round}: ${Math.round(ms)} ms\n`);
    error = Math.max(error, relativeError(values, expected));
    if (round > 0) seconds.push(ms / 1000);
  }
  await context.close();
  if (!(error < LARGEST_ERROR))
    fail(`The gradients of ${model} on ${backend} are off by ${error} of their RMS.`);
  return { device, seconds, error };
}

const executablePath = await ensureBrowser();
const { chromium } = await import('playwright');
const server = await startServer('ours');
const browser = await chromium.launch({ executablePath, args: chromiumArgs });
const results = [];
try {
  for (const model of models) {
    const before = torchSeconds(model);
    const studio = {};
    for (const backend of backends) studio[backend] = await studioSteps(browser, model, backend);
    const torch = [...before, ...torchSeconds(model)];
    const perStep = median(torch);
    results.push({
      model,
      threads,
      torch: { medianSeconds: perStep, seconds: torch },
      studio: Object.fromEntries(
        Object.entries(studio).map(([backend, { seconds, ...rest }]) => [
          backend,
          { medianSeconds: median(seconds), ofTorchsSpeed: perStep / median(seconds), seconds, ...rest },
        ]),
      ),
    });
  }
} finally {
  await browser.close();
  await server.close();
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
process.exit(0);
