/**
 * `node bench/kernels/run.mjs [filter]`: what each composition of a kernel costs on wasm, beside the stock tfjs op that
 * it replaces. Prints JSON: milliseconds of CPU time (least of 10 runs, one thread), so that a busy machine changes
 * little. The choices in src/gpu/kernels cite these pairs.
 */
import { createServer } from 'vite';

const server = await createServer({
  configFile: false,
  server: { middlewareMode: true, watch: null },
  appType: 'custom',
  logLevel: 'error',
});
const { benchKernels } = await server.ssrLoadModule('/bench/kernels/bench-kernels.ts');
process.stdout.write(`${JSON.stringify(await benchKernels(process.argv[2] ?? ''), null, 2)}\n`);
await server.close();
