/**
 * `npm start`: installs, builds, serves the studio with the headers it needs, and opens it.
 * `npm start -- --no-open` leaves the browser alone; `--port N` names another port.
 */
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDependencies, fail, npx, root } from './lib.mjs';

const args = process.argv.slice(2);
const portAt = args.indexOf('--port');
const port = portAt >= 0 ? args[portAt + 1] : '4173';
if (!/^\d+$/.test(port ?? '')) fail(`--port needs a number, for example --port 4180; it got ${port}.`);
const open = !args.includes('--no-open') && !process.env.CI;

await ensureDependencies();
const weights = join(root, 'public/models/default/files.json');
if (!existsSync(weights) || statSync(weights).size === 0) {
  fail('public/models/default is missing: the checkout is not whole. Clone the repository again.');
}
if ((await npx(['vite', 'build'])) !== 0) fail('The build failed: see its message above.');
console.log(`\nTango Studio: http://localhost:${port}/  (Ctrl+C stops it)\n`);
process.exit(await npx(['vite', 'preview', '--port', port, '--strictPort', ...(open ? ['--open'] : [])]));
