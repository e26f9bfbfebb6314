import { vi } from 'vitest';

/** What a DOM without a layout (happy-dom) lacks: an observer of sizes, which never sees one change. */
export function installStillLayout(): void {
  vi.stubGlobal(
    'ResizeObserver',
    class {
      observe() {}
      unobserve() {}
      disconnect() {}
    },
  );
}
