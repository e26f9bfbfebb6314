/** The page of a peer: every peer computes in a worker, as the studio does. */
import type { PeerAnswer, PeerRequest, PeerSetup } from './serve-peer';

const WORKERS = {
  studio: () => new Worker(new URL('./studio.worker.ts', import.meta.url), { type: 'module' }),
  jax: () => new Worker(new URL('./jax.worker.ts', import.meta.url), { type: 'module' }),
  training: () => new Worker(new URL('../training/step.worker.ts', import.meta.url), { type: 'module' }),
  ort: () => new Worker(new URL('./ort.worker.ts', import.meta.url), { type: 'module' }),
} as const;

function ask(worker: Worker, request: PeerRequest): Promise<PeerAnswer> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<PeerAnswer>) =>
      data.type === 'failed' ? reject(new Error(data.message)) : resolve(data);
    worker.onerror = (event) => reject(new Error(event.message || 'The worker did not start.'));
    worker.postMessage(request);
  });
}

declare global {
  interface Window {
    /** One timed pass; values as plain numbers, for the driver. */
    pass?: () => Promise<{ ms: number; values: number[] }>;
  }
}

export async function openPeer(name: keyof typeof WORKERS, setup: PeerSetup): Promise<object> {
  const worker = WORKERS[name]();
  const opened = await ask(worker, { type: 'open', setup });
  window.pass = async () => {
    const passed = await ask(worker, { type: 'pass' });
    if (passed.type !== 'passed') throw new Error(`Expected a pass, got "${passed.type}".`);
    return { ms: passed.ms, values: Array.from(passed.values) };
  };
  return opened.type === 'opened' ? opened.device : {};
}
