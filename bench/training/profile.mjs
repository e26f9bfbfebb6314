/**
 * `node bench/training/profile.mjs [runs]`: where one step of LoRA training of the default UNet spends its time without
 * a GPU, by kernel, on one thread in Node with relaxed SIMD, as browsers have it. Prints JSON.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'bench/out/training');
// A bundle: the files of tfjs's dist/ import each other without extensions, which Node refuses. The two packages
// themselves stay outside, where the wasm backend finds its files.
await build({
  root,
  configFile: false,
  publicDir: false,
  logLevel: 'error',
  ssr: { noExternal: true },
  build: {
    ssr: join(root, 'bench/training/profile-step.ts'),
    outDir: folder,
    emptyOutDir: false,
    minify: false,
    rolldownOptions: {
      external: [/^@tensorflow\/tfjs-(core|backend-wasm)$/],
      output: { format: 'cjs', entryFileNames: 'profile.cjs', codeSplitting: false },
    },
  },
});
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-wasm-relaxed-simd',
    ...[
      '-e',
      `require(${JSON.stringify(join(folder, 'profile.cjs'))}).printProfile(${JSON.stringify(
        join(root, 'public/models/default/unet'),
      )}, ${Number(process.argv[2] ?? '5')})`,
    ],
  ],
  { stdio: 'inherit' },
);
process.exitCode = status ?? 1;
