import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { securityHeaders } from '../security-headers';

const stockKernels = fileURLToPath(new URL('./stock-tfjs/kernels.ts', import.meta.url));

/**
 * The same studio with the kernels' seam filled by plain tfjs ops: models, pipeline and engine are the same code,
 * so that a difference in time is a difference of kernels.
 */
function stockKernelsInstead(): Plugin {
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

const plugins = () => [stockKernelsInstead(), react()];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  plugins: plugins(),
  worker: { format: 'es', plugins: () => [stockKernelsInstead()] },
  build: { target: 'es2023', outDir: 'dist-stock-tfjs', chunkSizeWarningLimit: 2000 },
  preview: { headers: securityHeaders() },
});
