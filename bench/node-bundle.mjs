import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Bundles a TypeScript file for Node and loads it. The files of tfjs's dist/ import each other without extensions, which
 * Node refuses; the two packages themselves stay outside, where the wasm backend finds its files.
 *
 * @param {string} entry from the repository's root
 * @returns its exports
 */
export async function loadBundled(entry) {
  const outDir = join(root, 'bench/out/node');
  const name = `${entry.replaceAll('/', '-').replace(/\.ts$/, '')}.cjs`;
  await build({
    root,
    configFile: false,
    publicDir: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: join(root, entry),
      outDir,
      emptyOutDir: false,
      minify: false,
      rolldownOptions: {
        external: [/^@tensorflow\/tfjs-(core|backend-wasm)$/],
        output: { format: 'cjs', entryFileNames: name, codeSplitting: false },
      },
    },
  });
  return createRequire(import.meta.url)(join(outDir, name));
}
