/**
 * `node --experimental-wasm-relaxed-simd bench/training/run-cpu.mjs --python .venv/bin/python`: the step of run.mjs on one
 * thread, by the processor's time: the studio on wasm in Node, PyTorch beside it, in turns. What a busy machine makes others
 * wait for is not in it. The flag is what browsers have without one. Prints JSON.
 *
 * `--models default,tango-quarter`, `--turns 5`.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fail, root } from '../../tools/scripts/lib.mjs';
import { loadBundled } from '../node-bundle.mjs';
import { median } from '../peers/run.mjs';

const args = process.argv.slice(2);
const option = (name, fallback) =>
  args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : fallback;
const models = option('models', 'default,tango-quarter').split(',');
const turns = Number(option('turns', '5'));
const python = option('python', 'python3');
/** Steps of a turn, behind one that warms up. */
const STEPS = 3;
/** Of the studio before the first turn: V8 compiles what is called often again. */
const WARM_MS = 4000;
const SIZES = { default: [64, 8], 'tango-quarter': [128, 16] };
const folderOf = (model) => join(root, 'bench/out/training', model);

function torchTurn(model) {
  const width = model === 'default' ? [] : ['--width', '0.25'];
  const script = [join(root, 'tools/peers/export_training_step.py'), '--out', folderOf(model), ...width];
  const limits = ['--threads', '1', '--rounds', String(STEPS)];
  if (spawnSync(python, [...script, ...limits], { cwd: root, stdio: 'inherit' }).status !== 0)
    fail('export_training_step.py failed: see above. It needs tools/requirements.txt.');
  return median(JSON.parse(readFileSync(join(folderOf(model), 'torch.json'), 'utf8')).cpuSeconds);
}

const { cpuSeconds, openStep } = await loadBundled('bench/training/profile-step.ts');
const results = [];
for (const model of models) {
  const torch = [torchTurn(model)];
  const config = JSON.parse(readFileSync(join(folderOf(model), 'config.json'), 'utf8'));
  const weights = new Blob([readFileSync(join(folderOf(model), 'unet.safetensors'))]);
  const step = await openStep({ config, weights, size: SIZES[model] });
  const began = performance.now();
  do step();
  while (performance.now() - began < WARM_MS);
  const studio = [];
  for (let turn = 0; turn < turns; turn++) {
    if (turn > 0) torch.push(torchTurn(model));
    step();
    studio.push(median(Array.from({ length: STEPS }, () => cpuSeconds(step))));
    process.stderr.write(`${model} turn ${turn}: studio ${studio.at(-1)} s, PyTorch ${torch.at(-1)} s\n`);
  }
  const ratios = studio.map((seconds, turn) => torch[turn] / seconds);
  results.push({
    ...{ model, studioCpuSeconds: studio, torchCpuSeconds: torch },
    ofTorchsSpeed: { median: median(ratios), least: Math.min(...ratios), most: Math.max(...ratios) },
  });
}
process.stdout.write(`${JSON.stringify(results, null, 2)}\n`);
