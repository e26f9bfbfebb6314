/**
 * `node bench/preferences/run.mjs`: what 15,000 pairs, the size of Audio-alpaca, cost the page: choosing them, their
 * rows, a filter, a sort, and their health. Prints JSON: milliseconds, the median of five.
 */
import { createServer } from 'vite';
import { root } from '../../tools/scripts/lib.mjs';

const PAIRS = 15_000;
const server = await createServer({
  root,
  configFile: false,
  server: { middlewareMode: true, watch: null },
  optimizeDeps: { noDiscovery: true },
  logLevel: 'error',
});
const load = (path) => server.ssrLoadModule(path);
const { viewDataset, DEFAULT_SHARES } = await load('/src/preferences/selection/choose-pairs.ts');
const { datasetHealth } = await load('/src/preferences/health/dataset-health.ts');
const { pairRows } = await load('/src/ui/panels/preferences/queue.ts');
const { filterPairs, sortPairs, NO_FILTER } = await load('/src/ui/panels/preferences/filter-pairs.ts');

const sounds = ['a dog barks', 'rain falls', 'a bell rings', 'a car passes', 'birds chirp', 'a woman speaks'];
const joints = ['and then', 'while', 'before', 'after'];
const random = (() => {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
})();
const pick = (list) => list[Math.floor(random() * list.length)];
const clapModels = [
  { id: 'one', name: 'One' },
  { id: 'two', name: 'Two' },
];
/** Groups of four clips of one prompt: three pairs each. */
const groups = Array.from({ length: PAIRS / 3 }, (_, g) => {
  const prompt = `${pick(sounds)} ${pick(joints)} ${pick(sounds)} ${g}`;
  return {
    id: `g${g}`,
    prompt,
    strategy: pick(['1.1', '1.2']),
    ranking: 'best-of-all',
    candidates: Array.from({ length: 4 }, (_, i) => ({
      clipId: `c${g}-${i}`,
      recipe: {
        prompt,
        seed: g * 4 + i,
        steps: 20,
        guidanceScale: 3,
        scheduler: 'ddpm',
        durationSeconds: 5.12,
      },
      scores: { one: random(), two: random() },
      check: {
        durationSeconds: 5.12,
        peak: 0.5 + random() / 4,
        rms: random() / 4,
        clippedShare: 0,
        contentHash: `${g}-${i}`,
      },
    })),
  };
});
const dataset = { clapModels, rankingModelId: null, selection: null };
const times = {};
const timed = (name, work) => {
  let result;
  const list = Array.from({ length: 5 }, () => {
    const began = performance.now();
    result = work();
    return performance.now() - began;
  });
  times[name] = Math.round(list.sort((a, b) => a - b)[2] * 10) / 10;
  return result;
};
const view = timed('choose', () => viewDataset(groups, dataset));
const rows = timed('rows', () => pairRows(view, groups, []));
timed('filter', () => filterPairs(rows, { ...NO_FILTER, text: 'bell', tag: 'sequence', deltaAtLeast: 0.2 }));
timed('sortByDelta', () => sortPairs([...rows], 'delta', true));
timed('sortByPrompt', () => sortPairs([...rows], 'prompt', false));
timed('health', () => datasetHealth(view.pairs, DEFAULT_SHARES));
process.stdout.write(`${JSON.stringify({ pairs: rows.length, milliseconds: times }, null, 2)}\n`);
await server.close();
