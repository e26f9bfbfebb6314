import { defineConfig } from '@playwright/test';

/** Chromium to test in; tools/scripts/test.mjs finds one and sets this. */
const executablePath = process.env.STUDIO_CHROMIUM;
const asRoot = process.getuid?.() === 0 ? ['--no-sandbox'] : [];

/**
 * The tests drive the built app, served as `npm start` serves it. `wasm` is a machine without a GPU: no adapter, so the
 * studio must fall back and say so. `webgpu` has Chromium's SwiftShader adapter.
 */
export default defineConfig({
  testDir: 'e2e',
  testMatch: '*.spec.ts',
  outputDir: 'test-results/e2e',
  reporter: [['list'], ['json', { outputFile: 'test-results/e2e.json' }]],
  workers: 1,
  timeout: 300_000,
  expect: { timeout: 60_000 },
  forbidOnly: true,
  use: {
    baseURL: 'http://localhost:4199',
    viewport: { width: 1440, height: 900 },
    trace: 'retain-on-failure',
    actionTimeout: 60_000,
  },
  webServer: {
    command: 'npx vite preview --port 4199 --strictPort',
    url: 'http://localhost:4199/',
    reuseExistingServer: false,
    timeout: 60_000,
  },
  projects: [
    {
      name: 'wasm',
      testIgnore: 'webgpu.spec.ts',
      use: {
        launchOptions: { ...(executablePath ? { executablePath } : {}), args: [...asRoot, '--disable-gpu'] },
      },
    },
    {
      name: 'webgpu',
      testMatch: 'webgpu.spec.ts',
      use: {
        launchOptions: {
          ...(executablePath ? { executablePath } : {}),
          args: [...asRoot, '--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader'],
        },
      },
    },
  ],
});
