import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';
import { onnxRuntime } from './onnx-runtime.ts';

/** Chromium to test in; tools/scripts/test.mjs finds one and sets this. */
const executablePath = process.env.STUDIO_CHROMIUM;

/** SwiftShader gives a WebGPU adapter on machines without a GPU; a missing adapter fails the run. */
const webgpuArgs = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=SharedArrayBuffer',
  ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
];

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'node',
          environment: 'node',
          include: ['src/**/*.test.{ts,tsx}', 'bench/**/*.test.ts', 'tools/**/*.test.ts'],
          exclude: ['**/*.gpu.test.ts', '**/node_modules/**'],
          testTimeout: 60_000,
          pool: 'forks',
          maxWorkers: 2,
          // The files of tfjs's dist/ import each other without extensions, which Node refuses and Vite resolves.
          server: { deps: { inline: [/tfjs-core\/dist\/(?!tf-core)/] } },
        },
      },
      {
        // The product on half-precision weights, in Node on an adapter that has shader-f16: see src/testing/dawn.ts.
        test: {
          name: 'dawn',
          environment: 'node',
          include: [
            'src/gpu/kernels/{linear,conv2d,upsample-conv2d}/*.gpu.test.ts',
            'src/gpu/kernels/{adapter-features,self-test}.gpu.test.ts',
            'src/diffusion/pipelines/compile-ahead.gpu.test.ts',
          ],
          setupFiles: ['src/testing/dawn.ts'],
          testTimeout: 240_000,
          hookTimeout: 240_000,
          pool: 'forks',
          maxWorkers: 2,
          server: { deps: { inline: [/tfjs-core\/dist\/(?!tf-core)/] } },
        },
      },
      {
        resolve: onnxRuntime,
        optimizeDeps: {
          include: [
            '@tensorflow/tfjs-core',
            '@tensorflow/tfjs-core/dist/register_all_gradients',
            '@tensorflow/tfjs-backend-webgpu',
            '@tensorflow/tfjs-backend-wasm',
            '@huggingface/tokenizers',
            '@huggingface/transformers',
            'comlink',
            'fourier-transform',
            'idb-keyval',
          ],
        },
        test: {
          name: 'browser',
          include: ['src/**/*.gpu.test.ts'],
          // A gradient on SwiftShader compiles some hundred shaders; on a busy machine that is minutes.
          testTimeout: 480_000,
          hookTimeout: 240_000,
          fileParallelism: false,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: playwright({
              launchOptions: { ...(executablePath ? { executablePath } : {}), args: webgpuArgs },
            }),
            instances: [{ browser: 'chromium' }],
          },
        },
      },
    ],
  },
});
