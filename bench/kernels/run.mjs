/**
 * `node --experimental-wasm-relaxed-simd bench/kernels/run.mjs [filter]`: what each kernel costs on wasm, forward and
 * backward, beside the stock tfjs ops that it replaces. Prints JSON: milliseconds of CPU time (least of 10 runs, one
 * thread), so that a busy machine changes little. The choices in src/gpu/kernels cite these pairs. Without the flag Node has
 * no relaxed SIMD, which browsers have.
 */
import { loadBundled } from '../node-bundle.mjs';

const { benchKernels } = await loadBundled('bench/kernels/bench-kernels.ts');
process.stdout.write(`${JSON.stringify(await benchKernels(process.argv[2] ?? ''), null, 2)}\n`);
