/**
 * `node tools/wasm-kernels/build.mjs`: compiles src/gpu/wasm-kernels/assembly and writes the four modules (memory
 * shared or not, relaxed SIMD or not) as base64 to src/gpu/wasm-kernels/modules.ts, so that a studio is installed and
 * built without a compiler, and a module is at hand in a browser and in Node without a download. Run it after a change;
 * tools/wasm-kernels/build.test.ts fails while sources and modules differ.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const folder = fileURLToPath(new URL('../../src/gpu/wasm-kernels/', import.meta.url));

/** Pages of the memory that tfjs's modules make: the import has to allow for it. */
const MAX_PAGES = '65536';

/** @returns {Promise<Uint8Array>} */
async function compile({ shared, relaxed }) {
  const memory = shared
    ? ['--sharedMemory', '--initialMemory', '1', '--maximumMemory', MAX_PAGES]
    : ['--initialMemory', '1'];
  const { error, binary, stderr } = await runCompiler([
    'assembly/index.ts',
    ...['--baseDir', folder, '--outFile', 'kernels.wasm'],
    ...['-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--lowMemoryLimit', '0'],
    ...memory,
    ...['--enable', relaxed ? 'simd,threads,relaxed-simd' : 'simd,threads'],
  ]);
  if (error) throw new Error(`The kernels do not compile: ${stderr ?? error}`);
  return binary;
}

async function runCompiler(args) {
  let binary;
  const { error, stderr } = await asc.main(args, {
    writeFile: (_name, contents) => {
      binary = contents;
    },
  });
  return { error, binary, stderr: stderr.toString() };
}

/** The text of modules.ts. */
export async function modulesText() {
  const entries = [];
  for (const shared of [false, true]) {
    for (const relaxed of [false, true]) {
      const binary = await compile({ shared, relaxed });
      const name = `${shared ? 'shared' : 'single'}${relaxed ? 'Relaxed' : ''}`;
      entries.push(`  ${name}:\n    '${Buffer.from(binary).toString('base64')}',`);
    }
  }
  return [
    '/** Made by tools/wasm-kernels/build.mjs from assembly/: the compiled kernels, as base64. */',
    'export const KERNEL_MODULES = {',
    ...entries,
    '};',
    '',
  ].join('\n');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(`${folder}modules.ts`, await modulesText());
}
