/** Threads that tfjs's glue starts and XNNPACK can have; the number is compiled into it. */
const MAX_THREADS = 8;

/**
 * Threads for work on WebAssembly: all cores of a small machine; of a larger one half, at least four: its logical cores
 * are two to a physical one, and a second thread on a core that computes gains nothing.
 */
export function threadsFor(logicalCores: number): number {
  return Math.min(logicalCores, Math.max(4, Math.floor(logicalCores / 2)), MAX_THREADS);
}
