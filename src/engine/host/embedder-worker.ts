import * as Comlink from 'comlink';
import { JobCancelledError, type StudioError, WorkerDiedError } from '../../common/errors';
import type { EmbedderService } from '../embedder/embedder-service';
import type { ModelFile } from '../protocol-jobs';
import { unwrap, type WireResult } from '../rpc/wire-error';

/** A sentence model that is loaded. */
export interface Embedder {
  /** B texts → [B, D], each row of length 1. @throws StudioError, the signal's among them */
  embed(texts: readonly string[]): Promise<Float32Array>;
  /** Gives all its memory back. */
  close(): void;
}

/** @param signal ends the loading and every later `embed`, at once */
export type OpenEmbedder = (files: readonly ModelFile[], signal: AbortSignal) => Promise<Embedder>;

/**
 * Loads a sentence model in a worker of its own: WebAssembly's memory never shrinks, so what a model took comes back
 * only when its worker ends; and a worker can be ended in the middle of a pass.
 *
 * @throws WeightsFormatError, NetworkError, OutOfMemoryError, WorkerDiedError, JobCancelledError
 */
export const openEmbedderWorker: OpenEmbedder = async (files, signal) => {
  if (signal.aborted) throw new JobCancelledError('Cancelled before it began.');
  const worker = new Worker(new URL('../../../workers/sentence-embedder.worker.ts', import.meta.url), {
    type: 'module',
    name: 'tango-studio-embedder',
  });
  const service = Comlink.wrap<EmbedderService>(worker);
  let end: (error: StudioError) => void = () => {};
  const ended = new Promise<never>((_, reject) => {
    end = (error) => {
      worker.terminate();
      reject(error);
    };
  });
  ended.catch(() => {}); // it may end when no call waits
  const abort = (): void => end(new JobCancelledError('The job was cancelled.'));
  signal.addEventListener('abort', abort);
  worker.addEventListener('error', ({ message }) =>
    end(
      new WorkerDiedError(
        `The worker of the sentence embeddings stopped${message ? ` (${message})` : ''}. Try again; if it stops again, close other tabs to free memory.`,
      ),
    ),
  );
  const close = (): void => {
    signal.removeEventListener('abort', abort);
    worker.terminate();
  };
  const ask = async <T>(answer: Promise<WireResult<T>>): Promise<T> =>
    unwrap(await Promise.race([answer, ended]));
  try {
    await ask(service.open(files));
  } catch (error) {
    close();
    throw error;
  }
  return { embed: (texts) => ask(service.embed(texts)), close };
};
