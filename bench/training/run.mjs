/**
 * `node bench/training/run.mjs --python .venv/bin/python`: seconds of a step of LoRA diffusion-DPO (one pair, reference
 * pass, gradients, AdamW), in the studio on wasm and WebGPU in Chromium and in PyTorch on the same cores. PyTorch and the
 * studio take turns, so that a machine whose speed changes is seen to. The gradients are compared. Prints JSON. On a busy
 * machine PyTorch's threads wait for each other: run-cpu.mjs compares there.
 *
 * `--models default,tango-quarter`, `--backends wasm,webgpu`, `--turns 3`, `--rounds 3` (of a turn).
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
const turns = Number(option('turns', '3'));
const rounds = Number(option('rounds', '3'));
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

/** A page with the model; `steps` are seconds of `rounds` steps, whose gradients are compared with PyTorch's. */
async function openStudio(browser, model, backend) {
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
  const result = { device, error: 0 };
  const step = async () => {
    const { ms, values } = await page.evaluate(() => window.pass());
    process.stderr.write(`${model} ${backend}: ${Math.round(ms)} ms\n`);
    result.error = Math.max(result.error, relativeError(values, expected));
    if (!(result.error < LARGEST_ERROR))
      fail(`The gradients of ${model} on ${backend} are off by ${result.error} of their RMS.`);
    return ms / 1000;
  };
  // The first one compiles.
  await step();
  return {
    result,
    steps: async () => {
      const seconds = [];
      for (let round = 0; round < rounds; round++) seconds.push(await step());
      return seconds;
    },
    close: () => context.close(),
  };
}

const executablePath = await ensureBrowser();
const { chromium } = await import('playwright');
const server = await startServer('ours');
const browser = await chromium.launch({ executablePath, args: chromiumArgs });
const results = [];
try {
  for (const model of models) {
    const torch = [torchSeconds(model)];
    const studio = {};
    for (const backend of backends) {
      const opened = await openStudio(browser, model, backend);
      const seconds = [];
      for (let turn = 0; turn < turns; turn++) {
        if (turn === torch.length) torch.push(torchSeconds(model));
        seconds.push(await opened.steps());
      }
      await opened.close();
      const ratios = seconds.map((list, turn) => median(torch[turn]) / median(list));
      studio[backend] = {
        medianSeconds: median(seconds.flat()),
        ofTorchsSpeed: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
        seconds,
        ...opened.result,
      };
    }
    results.push({
      ...{ model, threads },
      torch: { medianSeconds: median(torch.flat()), seconds: torch },
      studio,
    });
  }
} finally {
  await browser.close();
  await server.close();
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
process.exit(0);
