/**
 * `node bench/gpu/run.mjs [--quick] [--only=unet,kernels] [--steps=4] [--out=gpu.json] [--model=FOLDER]`: times on the GPU that
 * Vulkan gives Dawn for Node. `--bundle=FOLDER` writes the program and runs nothing: beside a node_modules with the package
 * `webgpu` it runs on a machine that has Node alone.
 */
import { spawnSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** Writes `entry` of this folder as one file for Node. @returns its folder, bench/out/gpu by default */
export async function bundle(entry, name, folder = join(root, 'bench/out/gpu')) {
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    ssr: { noExternal: true, external: ['webgpu'] },
    build: {
      ssr: join(root, 'bench/gpu', entry),
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      rolldownOptions: { output: { entryFileNames: name, codeSplitting: false } },
    },
  });
  return folder;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bundleOnly = process.argv.find((option) => option.startsWith('--bundle='))?.slice('--bundle='.length);
  const folder = await bundle('bench-gpu.ts', 'bench.mjs', bundleOnly && resolve(bundleOnly));
  if (!bundleOnly) {
    const options = process.argv.slice(2);
    if (!options.some((option) => option.startsWith('--model=')))
      options.push(`--model=${join(root, 'public/models/default')}`);
    const { status } = spawnSync(process.execPath, [join(folder, 'bench.mjs'), ...options], {
      stdio: 'inherit',
    });
    process.exitCode = status ?? 1;
  }
}
