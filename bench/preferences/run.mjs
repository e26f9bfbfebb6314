/**
 * `node bench/preferences/run.mjs`: what 15,000 pairs, the size of Audio-alpaca, cost the page's thread. Prints JSON:
 * milliseconds of the first run, the median of seven, and the best.
 */
import { createServer } from 'vite';
import { root } from '../../tools/scripts/lib.mjs';

const server = await createServer({
  root,
  configFile: false,
  server: { middlewareMode: true, watch: null },
  optimizeDeps: { noDiscovery: true },
  logLevel: 'error',
});
const { measurePanel } = await server.ssrLoadModule('/bench/preferences/page-thread.ts');
process.stdout.write(`${JSON.stringify(measurePanel(), null, 2)}\n`);
await server.close();
