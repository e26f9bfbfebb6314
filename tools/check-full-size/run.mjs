/**
 * `npm run check:full-size -- FOLDER`: a Tango 2 of the published size and layout (random weights, made by
 * checkpoint.py unless FOLDER has one already) goes through the built studio in Chromium on the SwiftShader adapter:
 * imported, loaded, a prompt encoded, one guided UNet pass, decoded, vocoded. Every stage is compared with PyTorch,
 * and what it cost is printed as JSON. FOLDER needs 12 GB, the machine about 16 GB of memory, and an hour on two cores.
 *
 * PYTHON names the interpreter with tools/requirements.txt; `--stages load,unet` runs some of load, text,
 * unet, decode and vocode after the import.
 */
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { chromium } from 'playwright';
import { preview } from 'vite';
import { chromiumArgs, ensureBrowser, ensureDependencies, fail, npx, root, run } from '../scripts/lib.mjs';
import { watchHeaps } from './heap.mjs';

const BARS = { signalToNoiseDb: 40, gpuBytes: 3.0e9, heapBytes: 500e6 };

const [given, ...options] = process.argv.slice(2);
if (!given || given.startsWith('--'))
  fail('Name a folder for the checkpoint and the browser’s profile: npm run check:full-size -- FOLDER');
const folder = resolve(given);
const checkpoint = join(folder, 'checkpoint');
const stagesAt = options.indexOf('--stages');
const stages =
  stagesAt >= 0 ? options[stagesAt + 1].split(',') : ['load', 'text', 'unet', 'decode', 'vocode'];

await ensureDependencies();
if (!existsSync(join(folder, 'reference/reference.json'))) {
  mkdirSync(folder, { recursive: true });
  const code = await run(process.env.PYTHON ?? 'python3', ['tools/check-full-size/checkpoint.py', folder]);
  if (code !== 0) fail('The checkpoint could not be made: see the message above.');
}
if ((await npx(['vite', 'build'])) !== 0) fail('The build failed: see its message above.');

const reference = JSON.parse(readFileSync(join(folder, 'reference/reference.json'), 'utf8'));
const expected = (name) => {
  const bytes = readFileSync(join(folder, 'reference', `${name}.f32`));
  const data = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  return { shape: reference.tensors[name], data };
};

/** What each stage is given and what it should give. Its input is PyTorch's, so that each is measured by itself. */
const STAGES = {
  text: {
    call: 'encodeText',
    input: () => ['', reference.prompt],
    output: 'text_states',
  },
  unet: {
    call: 'predict',
    input: () => ({
      sample: expected('sample'),
      timestep: reference.timestep,
      textStates: expected('text_states'),
      textMask: expected('text_mask'),
    }),
    output: 'prediction',
  },
  decode: { call: 'decode', input: () => expected('latents'), output: 'mel' },
  vocode: { call: 'vocode', input: () => expected('mel'), output: 'waveform' },
};

const server = await preview({ root, preview: { port: 4197 } });
const [address] = server.resolvedUrls.local;
const profile = mkdtempSync(join(folder, 'profile-'));
const context = await chromium.launchPersistentContext(profile, {
  executablePath: await ensureBrowser(),
  args: chromiumArgs,
  viewport: { width: 1440, height: 900 },
});
const results = { stages: {} };
const problems = [];
try {
  const page = context.pages()[0] ?? (await context.newPage());
  page.on('console', (message) => message.type() === 'error' && console.error(message.text()));
  const heaps = await watchHeaps(page);
  await page.goto(address);
  await page.waitForFunction(async () => Boolean((await window.studio?.info())?.model), undefined, {
    timeout: 300_000,
  });
  // An adapter that emulates a GPU is not chosen by itself.
  const before = await page.evaluate(() => window.studio.setBackend('webgpu'));
  results.browser = context.browser()?.version() ?? (await page.evaluate(() => navigator.userAgent));
  results.adapter = before.adapter;
  await countDispatches(page);
  heaps.take();

  await importModel(page, heaps);
  if (stages.includes('load')) await loadModel(page, heaps);
  for (const stage of stages) {
    if (stage in STAGES) await runStage(page, heaps, stage);
  }
  const { memory } = await page.evaluate(() => window.studio.info());
  results.gpuBytesPeak = memory.gpuBytesPeak;
  atMost('GPU bytes with weights', memory.gpuBytesPeak, BARS.gpuBytes);
  await heaps.stop();
} finally {
  await context.close();
  await server.close();
  rmSync(profile, { recursive: true, force: true });
}
results.missed = problems;
const text = JSON.stringify(results, null, 2);
writeFileSync(join(folder, 'results.json'), `${text}\n`);
console.log(text);
process.exit(problems.length > 0 ? 1 : 0);

function atMost(what, value, bar) {
  if (!(value <= bar)) problems.push(`${what}: ${value}, the bar is ${bar}`);
}

/** Calls of dispatchWorkgroups in the engine's worker, from now on. */
async function countDispatches(page) {
  const worker = engineWorker(page);
  await worker.evaluate(() => {
    globalThis.dispatchCount = 0;
    for (const name of ['dispatchWorkgroups', 'dispatchWorkgroupsIndirect']) {
      const original = GPUComputePassEncoder.prototype[name];
      GPUComputePassEncoder.prototype[name] = function (...args) {
        globalThis.dispatchCount += 1;
        return original.apply(this, args);
      };
    }
  });
}

function engineWorker(page) {
  return page.workers().find((worker) => /engine\.worker/.test(worker.url()));
}

/** The files go in as a person's do: through an input, and the client that the panels use. */
async function importModel(page, heaps) {
  const names = readdirSync(checkpoint);
  const fileBytes = names.reduce((sum, name) => sum + statSync(join(checkpoint, name)).size, 0);
  await page.evaluate(() => {
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    input.id = 'full-size';
    document.body.append(input);
  });
  await page.setInputFiles(
    '#full-size',
    names.map((name) => join(checkpoint, name)),
  );
  console.error(`Importing ${(fileBytes / 1e9).toFixed(2)} GB …`);
  const { model, seconds, reports } = await page.evaluate(async () => {
    const files = [...document.querySelector('#full-size').files].map((file) => ({
      path: `tango2/${file.name}`,
      blob: file,
    }));
    const start = performance.now();
    let reports = 0;
    const model = await window.studio.models.importFiles(files, {
      onProgress: () => {
        reports += 1;
      },
    });
    return { model, seconds: (performance.now() - start) / 1000, reports };
  });
  const heap = heaps.take();
  atMost('heap of the import', heap.workerBytes + heap.pageBytes, BARS.heapBytes);
  results.model = model;
  results.import = { fileBytes, seconds, megabytesPerSecond: fileBytes / 1e6 / seconds, reports, heap };
  console.error(JSON.stringify(results.import));
}

async function loadModel(page, heaps) {
  const { id, bytes } = results.model;
  console.error(`Loading ${(bytes / 1e9).toFixed(2)} GB …`);
  const seconds = await page.evaluate(async (modelId) => {
    const start = performance.now();
    await window.studio.models.use(modelId);
    return (performance.now() - start) / 1000;
  }, id);
  const { memory } = await page.evaluate(() => window.studio.info());
  results.load = {
    bytes,
    seconds,
    megabytesPerSecond: bytes / 1e6 / seconds,
    heap: heaps.take(),
    gpuBytes: memory.gpuBytes,
  };
  console.error(JSON.stringify(results.load));
}

async function runStage(page, heaps, name) {
  const { call, input, output } = STAGES[name];
  console.error(`${name} …`);
  const worker = engineWorker(page);
  await worker.evaluate(() => {
    globalThis.dispatchCount = 0;
  });
  const { data, shape, seconds, inputIds } = await page.evaluate(
    async ({ call, input }) => {
      const revived = (value) => {
        if (Array.isArray(value) || typeof value !== 'object') return value;
        if ('base64' in value) {
          const bytes = Uint8Array.from(atob(value.base64), (c) => c.charCodeAt(0));
          return { shape: value.shape, data: new Float32Array(bytes.buffer) };
        }
        return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, revived(item)]));
      };
      const start = performance.now();
      const result = await window.studio.stages[call](revived(input));
      const seconds = (performance.now() - start) / 1000;
      const tensor = result.states ?? result;
      return { data: [...tensor.data], shape: tensor.shape, seconds, inputIds: result.inputIds };
    },
    { call, input: packed(input()) },
  );
  const { memory } = await page.evaluate(() => window.studio.info());
  const want = expected(output);
  if (inputIds && JSON.stringify(inputIds) !== JSON.stringify(reference.inputIds)) {
    problems.push(`${name}: the prompt's ids are not those of the reference`);
  }
  if (JSON.stringify(shape) !== JSON.stringify(want.shape)) {
    problems.push(`${name}: the shape is [${shape}], PyTorch's is [${want.shape}]`);
  }
  const signalToNoiseDb = signalToNoise(data, want.data);
  if (!(signalToNoiseDb >= BARS.signalToNoiseDb)) {
    problems.push(`${name}: ${signalToNoiseDb} dB, the bar is ${BARS.signalToNoiseDb}`);
  }
  results.stages[name] = {
    shape,
    seconds,
    signalToNoiseDb,
    dispatches: await worker.evaluate(() => globalThis.dispatchCount),
    gpuBytesPeak: memory.gpuBytesPeak,
    heap: heaps.take(),
  };
  console.error(JSON.stringify(results.stages[name]));
}

/** Tensors as base64, which crosses into the page a hundred times as fast as a list of numbers. */
function packed(value) {
  if (Array.isArray(value) || typeof value !== 'object') return value;
  if (value.data instanceof Float32Array) {
    return { shape: value.shape, base64: Buffer.from(value.data.buffer).toString('base64') };
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, packed(item)]));
}

/** 10 log10 of the reference's energy over the difference's. */
function signalToNoise(values, wanted) {
  let signal = 0;
  let noise = 0;
  for (let i = 0; i < wanted.length; i += 1) {
    signal += wanted[i] ** 2;
    noise += (values[i] - wanted[i]) ** 2;
  }
  return values.length === wanted.length ? 10 * Math.log10(signal / noise) : Number.NaN;
}
