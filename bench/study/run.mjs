/**
 * `node bench/study/run.mjs --out DIR`: does fine-tuning on preferences work? Makes a preference dataset from training
 * captions with the studio itself, trains each run of recipes.json on it, makes the sounds of held-out captions with the
 * base model and with each adapter, scores them by a CLAP that chose no pair, and calls report.py for the independent
 * classifier, intervals, table and plots. All through `window.studio` in Chromium on WebAssembly.
 *
 * `--split development` does the same with the runs under `tried` too, on the captions after the dataset's: there a recipe
 * is chosen, so that the held-out captions choose nothing.
 *
 * What is done is kept in DIR (a browser profile, sounds, scores): the same command goes on where it was ended.
 * `--stages dataset,candidates,train,generate,score,report` runs a part; `--port` (default 4390) is part of the browser's storage's
 * name; `--build DIST` serves a build that is there; `--python PYTHON`, `--work DIR` (with classifier.pt, as
 * tools/train-default makes it) are for report.py.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { ensureBrowser, fail, npx, root } from '../../tools/scripts/lib.mjs';

const args = process.argv.slice(2);
const option = (name, fallback) => {
  const at = args.indexOf(`--${name}`);
  return at >= 0 ? args[at + 1] : fallback;
};
const out = option('out', null);
if (!out) fail('Where to? node bench/study/run.mjs --out DIR');
const stages = option('stages', 'dataset,candidates,train,generate,score,report').split(',');
const port = Number(option('port', '4390'));
const build = option('build', null);
mkdirSync(out, { recursive: true });

const { training, heldOut } = JSON.parse(readFileSync(join(root, 'bench/study/captions.json'), 'utf8'));
const recipes = JSON.parse(readFileSync(join(root, 'bench/study/recipes.json'), 'utf8'));
const { dataset, selection, sampling, judgeClap } = recipes;
const split = option('split', 'held-out');
if (!['held-out', 'development'].includes(split)) fail(`--split is held-out or development, not ${split}.`);
const chooses = split === 'development';
const runs = chooses ? [...recipes.runs, ...recipes.tried] : recipes.runs;
const seeds = chooses ? recipes.seeds.slice(0, 1) : recipes.seeds;
const judged = chooses ? training.slice(dataset.captions) : heldOut;

const say = (...words) => console.log(new Date().toISOString().slice(11, 19), ...words);
const { chromium } = await import('playwright');
const { createServer, preview } = await import('vite');

/** Calls `use` with the exports of a file of the studio's. */
async function withSource(paths, use) {
  const vite = await createServer({
    root,
    configFile: false,
    server: { middlewareMode: true, watch: null },
    optimizeDeps: { noDiscovery: true },
  });
  try {
    return await use(
      Object.assign({}, ...(await Promise.all(paths.map((path) => vite.ssrLoadModule(path))))),
    );
  } finally {
    await vite.close();
  }
}

/** Wrong captions by the studio's own rules. */
const pool = () =>
  withSource(
    ['/src/preferences/perturbation/perturb-caption.ts', '/src/preferences/candidates/plan-candidates.ts'],
    ({ perturbCaption, perturbOrder, seedOf }) => {
      const { captions, wrongCaptions, wrongOrders, settings } = dataset;
      return training.slice(0, captions).map(({ caption }, index) => ({
        prompt: caption,
        perturbed: perturbCaption(caption, wrongCaptions, seedOf(settings.seed, index, 0)),
        temporal: perturbOrder(caption, wrongOrders, seedOf(settings.seed, index, 1)),
      }));
    },
  );

/** Pool, selection, Table 2 and health of the dataset, in pairs.json, by the studio's own functions. */
const describePairs = () =>
  withSource(
    [
      '/src/preferences/selection/choose-pairs.ts',
      '/src/preferences/selection/pair-statistics.ts',
      '/src/preferences/health/dataset-health.ts',
    ],
    ({ viewDataset, pairStatistics, datasetHealth, DEFAULT_SHARES }) => {
      const { groups, clapModels } = JSON.parse(readFileSync(join(out, 'groups.json'), 'utf8'));
      const view = viewDataset(groups, { clapModels, ...selection });
      const counts = (names) => {
        const all = {};
        for (const name of names) all[name] = (all[name] ?? 0) + 1;
        return all;
      };
      const brief = ({ id, prompt, strategy, winner, loser, deltas }) => ({
        id,
        prompt,
        strategy,
        winner: { clipId: winner.clipId, scores: winner.scores },
        loser: { clipId: loser.clipId, scores: loser.scores },
        deltas,
      });
      const described = {
        pool: view.pairs.map(brief),
        accepted: view.accepted.map(brief),
        unformed: counts(view.unformed.map(({ strategy, reason }) => `${strategy} ${reason}`)),
        rejected: counts(view.rejected.flatMap(({ failed }) => failed.map(({ reason }) => reason))),
        tables: Object.fromEntries(
          clapModels.map(({ id }) => [
            id,
            { pool: pairStatistics(view.pairs, id), accepted: pairStatistics(view.accepted, id) },
          ]),
        ),
        health: datasetHealth(view.accepted, DEFAULT_SHARES),
      };
      writeFileSync(join(out, 'pairs.json'), JSON.stringify(described));
      say(`${described.pool.length} pairs in the pool, ${described.accepted.length} accepted`);
    },
  );

async function openStudio() {
  if (!build && (await npx(['vite', 'build', '--logLevel', 'warn'])) !== 0) fail('The build failed.');
  const server = await preview({
    root,
    ...(build ? { build: { outDir: resolve(build) } } : {}),
    preview: { port, strictPort: true },
    logLevel: 'warn',
  });
  const executablePath = await ensureBrowser();
  const context = await chromium.launchPersistentContext(join(out, 'profile'), {
    ...(executablePath ? { executablePath } : {}),
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-gpu'],
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(0);
  page.on('console', (message) => {
    if (message.text().startsWith('study: ')) say(message.text().slice(7));
    else if (message.type() === 'error') say('console:', message.text());
  });
  await page.goto(`http://localhost:${port}/`);
  await page.waitForFunction(() => Boolean(window.studio));
  await page.evaluate(() => window.studio.models.use('default'));
  return {
    page,
    async close() {
      await context.close();
      await server.close();
    },
  };
}

async function makeDataset(page) {
  const prompts = await pool();
  const state = await page.evaluate(
    async ({ prompts, settings }) => {
      const { preferences } = window.studio;
      const known = (await preferences.datasets()).find(({ name }) => name === settings.name);
      const { id } = known ?? (await preferences.create({ ...settings, prompts }));
      let told = 0;
      return preferences.run(id, {
        onProgress: ({ stage, index, count, remainingSeconds }) => {
          if (Date.now() - told < 60_000) return;
          told = Date.now();
          console.log(
            `study: ${stage} ${index}/${count}, ${Math.round((remainingSeconds ?? 0) / 60)} min left`,
          );
        },
      });
    },
    { prompts, settings: { ...dataset.settings, name: dataset.name } },
  );
  say('dataset', JSON.stringify(state));
  if (state.state !== 'done') fail(`The dataset is not done: ${state.failure ?? 'it was paused'}`);
}

/** Every candidate with its scores in groups.json, and its sound. */
async function keepCandidates(page) {
  mkdirSync(join(out, 'candidates'), { recursive: true });
  const { id, clapModels, groups } = await page.evaluate(async (name) => {
    const { preferences } = window.studio;
    const { id, clapModels } = (await preferences.datasets()).find((one) => one.name === name);
    return { id, clapModels, groups: await preferences.groups(id) };
  }, dataset.name);
  writeFileSync(join(out, 'groups.json'), JSON.stringify({ clapModels, groups }));
  const clipIds = new Set(groups.flatMap(({ candidates }) => candidates.map(({ clipId }) => clipId)));
  for (const clipId of clipIds) {
    const path = join(out, 'candidates', `${clipId}.wav`);
    if (existsSync(path)) continue;
    const wav = await page.evaluate(
      async ({ id, clipId }) => {
        const { audio, sampleRateHz } = await window.studio.preferences.clip(id, clipId);
        const bytes = new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength);
        return { samples: bytes.toBase64(), sampleRateHz };
      },
      { id, clipId },
    );
    writeFileSync(path, floatWav(wav));
  }
  say(`${groups.length} groups, ${clipIds.size} clips`);
}

async function train(page) {
  for (const { name, settings } of runs) {
    const run = await page.evaluate(
      async ({ name, settings, dataset, selection }) => {
        const { preferences, train } = window.studio;
        const options = {
          onProgress: ({ stage, index, count, remainingSeconds, metrics: m }) => {
            if (stage !== 'train' || index % 10 !== 0) return;
            const figures = m ? [m.loss, m.margin ?? 0, m.implicitAccuracy ?? 0, m.mseWinner, m.seconds] : [];
            console.log(
              `study: ${name} ${index}/${count}, ${Math.round((remainingSeconds ?? 0) / 60)} min left; ${figures.map((x) => x.toPrecision(3))}`,
            );
          },
        };
        const known = (await train.runs()).find((one) => one.name === name);
        if (known) return train.resume(known.id, options);
        const { id } = (await preferences.datasets()).find((one) => one.name === dataset);
        await preferences.select(id, selection);
        const pairs = await preferences.pairs(id, { votes: 'ignore' });
        console.log(`study: ${name}: ${pairs.length} pairs`);
        return train.start({ ...settings, name, pairs, dataset: { id, name: dataset } }, options);
      },
      { name, settings, dataset: dataset.name, selection },
    );
    const history = await page.evaluate((id) => window.studio.train.history(id), run.id);
    writeFileSync(join(out, `run-${name}.json`), JSON.stringify({ run, history }));
    say(name, run.state, `step ${run.step} of ${run.stepCount}`);
  }
}

const clipPath = (variant, index, seed) => join(out, split, variant, `${index}-${seed}.wav`);
const variants = ['base', ...runs.map(({ name }) => name)];

async function generate(page) {
  for (const variant of variants) mkdirSync(join(out, split, variant), { recursive: true });
  for (const [index, { caption }] of judged.entries()) {
    for (const seed of seeds) {
      for (const variant of variants) {
        const path = clipPath(variant, index, seed);
        if (existsSync(path)) continue;
        const wav = await page.evaluate(
          async ({ caption, seed, sampling, variant }) => {
            const { studio } = window;
            const run = (await studio.train.runs()).find(({ name }) => name === variant);
            const adapters = run ? [{ id: run.id, strength: 1 }] : [];
            if (!run && variant !== 'base') throw new Error(`There is no run "${variant}".`);
            const [{ audio, sampleRateHz }] = await studio.generate({
              ...sampling,
              prompt: caption,
              seed,
              adapters,
            });
            const bytes = new Uint8Array(audio.buffer, audio.byteOffset, audio.byteLength);
            return { samples: bytes.toBase64(), sampleRateHz };
          },
          { caption, seed: seed * 1000 + index, sampling, variant },
        );
        writeFileSync(path, floatWav(wav));
      }
    }
    if (index % 5 === 0) say(`sounds of caption ${index + 1} of ${judged.length}`);
  }
}

/** 32-bit float, so that nothing is rounded between the studio and its judges. @param samples little endian, in base64 */
function floatWav({ samples, sampleRateHz }) {
  const data = Buffer.from(samples, 'base64');
  const header = Buffer.alloc(44);
  header.write('RIFF', 0);
  header.writeUInt32LE(36 + data.length, 4);
  header.write('WAVEfmt ', 8);
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(3, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(sampleRateHz, 24);
  header.writeUInt32LE(4 * sampleRateHz, 28);
  header.writeUInt16LE(4, 32);
  header.writeUInt16LE(32, 34);
  header.write('data', 36);
  header.writeUInt32LE(data.length, 40);
  return Buffer.concat([header, data]);
}

async function score(page) {
  const path = join(out, split, 'clap.json');
  const scores = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {};
  for (const [index, { caption }] of judged.entries()) {
    for (const seed of seeds) {
      for (const variant of variants) {
        const key = `${variant}/${index}-${seed}`;
        if (scores[key] !== undefined) continue;
        const bytes = readFileSync(clipPath(variant, index, seed));
        const samples = bytes.subarray(44).toString('base64');
        const sampleRateHz = bytes.readUInt32LE(24);
        scores[key] = await page.evaluate(
          async ({ samples, sampleRateHz, prompt }) => {
            const audio = new Float32Array(Uint8Array.fromBase64(samples).buffer);
            const items = [{ prompt, audio, sampleRateHz }];
            const [answers] = await window.studio.clap.score({ items });
            return Object.fromEntries(answers.map(({ modelId, score }) => [modelId, score]));
          },
          { samples, sampleRateHz, prompt: caption },
        );
      }
    }
    writeFileSync(path, JSON.stringify(scores));
    if (index % 10 === 0) say(`scores of caption ${index + 1} of ${judged.length}`);
  }
}

if (stages.some((stage) => stage !== 'report')) {
  const studio = await openStudio();
  try {
    if (stages.includes('dataset')) await makeDataset(studio.page);
    if (stages.includes('candidates')) await keepCandidates(studio.page);
    if (stages.includes('train')) await train(studio.page);
    if (stages.includes('generate')) await generate(studio.page);
    if (stages.includes('score')) await score(studio.page);
  } finally {
    await studio.close();
  }
}
if (stages.includes('report')) {
  await describePairs();
  const python = option('python', 'python3');
  const work = option('work', join(root, 'tools/train-default/.work'));
  const report = [
    join(root, 'bench/study/report.py'),
    '--out',
    out,
    '--work',
    work,
    '--clap',
    judgeClap,
    '--split',
    split,
  ];
  if (spawnSync(python, report, { stdio: 'inherit' }).status !== 0) fail('report.py failed: see above.');
}
