import threadUrl from './kernel-thread.worker.js?url&no-inline';
import type { WasmKernels } from './wasm-kernels';

/**
 * Starts threads beside the caller's own. Nobody waits for them: what has not started yet, or never does, takes no work.
 *
 * @returns ends them; not while a kernel runs
 */
export function startKernelThreads(kernels: WasmKernels, count: number): () => void {
  const workers = Array.from({ length: count }, () => {
    const worker = new Worker(new URL(threadUrl, self.location.href));
    worker.postMessage(kernels.threadStart());
    return worker;
  });
  return () => {
    for (const worker of workers) worker.terminate();
  };
}
