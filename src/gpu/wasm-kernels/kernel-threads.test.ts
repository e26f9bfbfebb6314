import { Worker } from 'node:worker_threads';
import { afterEach, expect, it } from 'vitest';
import { KERNEL_MODULES } from './modules';

/** What kernel-thread.worker.js does, as Node's workers are told. */
const SERVE = `
  const { module, memory, job, scratch } = require('node:worker_threads').workerData;
  new WebAssembly.Instance(module, { env: { memory } }).exports.serve(job, scratch);
`;
const JOB = 1024;
const SCRATCH = 4096;
const SCRATCH_BYTES = 4096;
const COUNT = 100_003;
const X = 65_536;
const Y = X + 4 * COUNT + 4;
const UNIT_VALUES = 8192;

const workers: Worker[] = [];
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

it('does every unit of every job once, whatever the helpers are at', async () => {
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 65_536, shared: true });
  const module = new WebAssembly.Module(Buffer.from(KERNEL_MODULES.shared, 'base64'));
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const { announce, runAndFinish } = exports as {
    announce: (job: number) => void;
    runAndFinish: (job: number, units: number, scratch: number) => void;
  };
  for (const n of [1, 2]) {
    const scratch = SCRATCH + n * SCRATCH_BYTES;
    workers.push(new Worker(SERVE, { eval: true, workerData: { module, memory, job: JOB, scratch } }));
  }
  const words = new Int32Array(memory.buffer);
  const x = new Float32Array(memory.buffer, X, COUNT);
  const y = new Float32Array(memory.buffer, Y, COUNT);
  const units = Math.ceil(COUNT / UNIT_VALUES);
  let helped = false;
  // SiLU over and over; the first jobs are run before the helpers are there.
  for (let round = 0; round < 400; round += 1) {
    if (round % 50 === 25) await new Promise((resolve) => setTimeout(resolve, 30)); // helpers fall asleep
    x.fill(round + 1);
    y.fill(0);
    words.set([X, Y, COUNT, 0], JOB / 4 + 4);
    words[JOB / 4 + 3] = 4; // the kernel `activation`
    words[JOB / 4 + 1] = 0;
    Atomics.store(words, JOB / 4, units);
    announce(JOB);
    // Half of the jobs are left to the helpers for a moment.
    if (round % 2 === 1) {
      const until = performance.now() + 2;
      while (performance.now() < until && Atomics.load(words, JOB / 4) > 0) {}
      helped ||= Atomics.load(words, JOB / 4) <= 0;
    }
    runAndFinish(JOB, units, SCRATCH);
    const expected = Math.fround((round + 1) / (1 + Math.exp(-(round + 1))));
    expect(words[JOB / 4 + 1]).toBe(units);
    expect(y.every((value) => Math.abs(value - expected) <= 1e-6 * expected)).toBe(true);
  }
  expect(helped).toBe(true);
});
