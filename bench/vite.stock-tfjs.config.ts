import { fileURLToPath } from 'node:url';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';
import { securityHeaders } from '../security-headers.ts';
import { stockKernelsInstead } from './stock-tfjs/plugin.mjs';

const plugins = () => [stockKernelsInstead(), react()];

export default defineConfig({
  root: fileURLToPath(new URL('..', import.meta.url)),
  plugins: plugins(),
  worker: { format: 'es', plugins: () => [stockKernelsInstead()] },
  build: { target: 'es2023', outDir: 'dist-stock-tfjs', chunkSizeWarningLimit: 2000 },
  preview: { headers: securityHeaders() },
});
