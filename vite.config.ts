import react from '@vitejs/plugin-react';
import { defineConfig, type Plugin } from 'vite';
import { onnxRuntime } from './onnx-runtime.ts';
import { securityHeaders } from './security-headers.ts';

const DEV_NONCE = 'dev-server';

/** Writes the headers in the `_headers` form that static hosts read, next to the built files. */
function emitStaticHostHeaders(): Plugin {
  return {
    name: 'emit-static-host-headers',
    apply: 'build',
    generateBundle() {
      const lines = Object.entries(securityHeaders()).map(([name, value]) => `  ${name}: ${value}`);
      this.emitFile({ type: 'asset', fileName: '_headers', source: ['/*', ...lines, ''].join('\n') });
    },
  };
}

/**
 * `vite preview` would gzip weights for every request: half a second for what hardly shrinks, and browsers keep the
 * packed form in their cache, so each later visit would unpack it again.
 */
function serveWeightsUnpacked(): Plugin {
  return {
    name: 'serve-weights-unpacked',
    configurePreviewServer({ middlewares }) {
      middlewares.use((request, _response, next) => {
        if (request.url?.includes('.safetensors')) delete request.headers['accept-encoding'];
        next();
      });
    },
  };
}

export default defineConfig(({ command }) => ({
  plugins: [react(), emitStaticHostHeaders(), serveWeightsUnpacked()],
  ...(command === 'serve' ? { html: { cspNonce: DEV_NONCE } } : {}),
  resolve: onnxRuntime,
  worker: { format: 'es' },
  build: { target: 'es2023', sourcemap: true, chunkSizeWarningLimit: 2000 },
  server: { headers: securityHeaders({ nonce: DEV_NONCE, devSocket: true }) },
  preview: { headers: securityHeaders(), port: 4173 },
}));
