import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { build, type Rolldown } from 'vite';
import { expect } from 'vitest';

export interface ReadRequest {
  readonly format: 'safetensors' | 'torch';
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export interface ReadOutcome {
  /** `crashed`: with an error that is none of the studio's. `no-memory`, `hung`: the thread had to be ended. */
  readonly kind: 'read' | 'refused' | 'crashed' | 'no-memory' | 'hung';
  readonly message: string;
  /** Tensors that were read. */
  readonly tensors: number;
  /** Bytes of the largest piece that was taken from the file at once, and of the largest tensor. */
  readonly largestPiece: number;
  readonly largestTensor: number;
}

export interface ConfinedReader {
  read(request: ReadRequest): Promise<ReadOutcome>;
  close(): Promise<void>;
}

/** What a reader may need beside the file: its JavaScript heap, whatever the file is. */
const HEAP_MEGABYTES = 192;
const DEADLINE_MS = 10_000;
/** The end of a zip is looked for in so many bytes of a file, however short the file is. */
const SLACK_BYTES = 2 ** 17;

/**
 * The readers of weights in a thread of little heap, which is ended when it does not answer in time: so a file that
 * exhausts memory or hangs fails one test, and is told from one that is slow.
 */
export async function startConfinedReader(): Promise<ConfinedReader> {
  const code = await bundled();
  let worker: Worker | null = null;
  const start = (): Worker => {
    const resourceLimits = { maxOldGenerationSizeMb: HEAP_MEGABYTES, maxYoungGenerationSizeMb: 16 };
    return new Worker(code, { eval: true, resourceLimits });
  };
  const ended = (kind: 'no-memory' | 'hung' | 'crashed', message: string): ReadOutcome => {
    void worker?.terminate();
    worker = null;
    return { kind, message, tensors: 0, largestPiece: 0, largestTensor: 0 };
  };
  return {
    read: (request) =>
      new Promise<ReadOutcome>((resolve) => {
        worker ??= start();
        const running = worker;
        const settle = (outcome: ReadOutcome): void => {
          clearTimeout(timer);
          running.off('message', settle);
          running.off('error', fail);
          resolve(outcome);
        };
        const fail = (error: NodeJS.ErrnoException): void => {
          settle(ended(error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? 'no-memory' : 'crashed', error.message));
        };
        const timer = setTimeout(() => settle(ended('hung', `no answer in ${DEADLINE_MS} ms`)), DEADLINE_MS);
        running.on('message', settle);
        running.on('error', fail);
        running.postMessage(request);
      }),
    close: async () => {
      await worker?.terminate();
    },
  };
}

/** Reads the file, and expects that it is read or refused in words, within its own size. */
export async function expectAnswered(reader: ConfinedReader, request: ReadRequest): Promise<ReadOutcome> {
  // The thread gets a copy: the caller's bytes stay whole for fast-check to shrink.
  const outcome = await reader.read(request);
  expect(['read', 'refused'], outcome.message.slice(0, 500)).toContain(outcome.kind);
  expect(outcome.largestPiece).toBeLessThanOrEqual(request.bytes.byteLength + SLACK_BYTES);
  expect(outcome.largestTensor).toBeLessThanOrEqual(request.bytes.byteLength);
  expect(outcome.message.length).toBeLessThan(12_000);
  return outcome;
}

async function bundled(): Promise<string> {
  const output = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      minify: false,
      target: 'node20',
      lib: {
        entry: fileURLToPath(new URL('./confined-reader-entry.ts', import.meta.url)),
        formats: ['cjs'],
        fileName: 'reader',
      },
      rolldownOptions: { external: [/^node:/] },
    },
  });
  const [{ output: chunks }] = output as Rolldown.RolldownOutput[] as [Rolldown.RolldownOutput];
  return chunks[0].code;
}
