import { fileURLToPath } from 'node:url';

const stockKernels = fileURLToPath(new URL('./kernels.ts', import.meta.url));

/**
 * A Vite plugin that fills the kernels' seam with plain tfjs ops: models, pipeline and engine stay the same code, so
 * that a difference in time or counts is a difference of kernels.
 *
 * @returns {import('vite').Plugin}
 */
export function stockKernelsInstead() {
  return {
    name: 'stock-kernels-instead',
    enforce: 'pre',
    async resolveId(source, importer) {
      if (!importer || importer === stockKernels) return null;
      const resolved = await this.resolve(source, importer, { skipSelf: true });
      return resolved?.id.endsWith('/src/gpu/kernels/index.ts') ? stockKernels : null;
    },
  };
}
