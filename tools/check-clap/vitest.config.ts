import { defineConfig } from 'vitest/config';

/** Run by hand, after reference.py; not part of `npm test`. */
export default defineConfig({
  test: { environment: 'node', include: ['tools/check-clap/*.check.ts'], testTimeout: 600_000 },
});
