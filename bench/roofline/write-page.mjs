/**
 * `node bench/roofline/write-page.mjs [counts.json]`: writes docs/performance.md from the counts of a full-size pass
 * (bench/counts, counted anew when no file is given). Every number of the page's tables is computed here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { countPasses } from '../counts/run.mjs';

/** The multiprocessor of a current GPU that occupancy is told for. */
const MULTIPROCESSOR = {
  registerFileBytes: 256 * 1024,
  workgroupMemoryBytes: 64 * 1024,
  threads: 1536,
  /** Registers for addresses and loop counters, beside what a program holds. */
  extraRegisterBytes: 64,
};
const SAMPLER_STEPS = 20;

const giga = (value, digits = 1) => (value / 1e9).toFixed(digits);

/** Threads that fit a multiprocessor by registers, as a part of the most; groups that fit by workgroup memory. */
function occupancy({ registerBytes, workgroupBytes }) {
  const byRegisters =
    MULTIPROCESSOR.registerFileBytes /
    (registerBytes + MULTIPROCESSOR.extraRegisterBytes) /
    MULTIPROCESSOR.threads;
  const groups =
    workgroupBytes === 0 ? 'any' : Math.floor(MULTIPROCESSOR.workgroupMemoryBytes / workgroupBytes);
  return { threads: `${Math.round(100 * Math.min(1, byRegisters))} %`, groups };
}

function kernelTable({ programs }) {
  const rows = Object.entries(programs)
    .sort(([, a], [, b]) => b.flops - a.flops)
    .map(([name, count]) => {
      const { threads, groups } = occupancy(count);
      const accessed = count.readBytes + count.writeBytes;
      const cells = [
        name,
        count.dispatches,
        giga(count.flops),
        giga(accessed, 2),
        giga(count.compulsoryBytes, 2),
        (count.flops / accessed).toFixed(1),
        (count.flops / count.compulsoryBytes).toFixed(1),
        name === 'ConcatProgram' ? "tfjs's" : threads,
        name === 'ConcatProgram' ? "tfjs's" : groups,
      ];
      return `| ${cells.join(' | ')} |`;
    });
  return `| program | dispatches | GFLOP | GB accessed | GB at least | FLOP a byte accessed | FLOP a byte at least | threads by registers | groups by workgroup memory |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}`;
}

function totalsTable(passes) {
  const line = (
    length,
    who,
    { dispatches, flops, readBytes, writeBytes, compulsoryBytes, peakBytes, largestBindingBytes },
  ) =>
    `| ${length} | ${who} | ${dispatches} | ${giga(flops, 0)} | ${giga(readBytes + writeBytes)} | ${giga(compulsoryBytes)} | ${giga(peakBytes, 2)} | ${(largestBindingBytes / 2 ** 20).toFixed(0)} |`;
  const lines = Object.entries(passes).flatMap(([length, { ours, stockTfjs }]) => [
    line(length, 'the studio', ours),
    line(length, 'plain tfjs ops', stockTfjs),
  ]);
  return `| sound | kernels | dispatches | GFLOP | GB accessed | GB at least | peak GB | largest binding, MiB |
| --- | --- | --- | --- | --- | --- | --- | --- |
${lines.join('\n')}`;
}

function predictionTable({ passes, gpus }) {
  const lengths = Object.keys(passes);
  const rows = gpus.map((gpu) => {
    const cells = lengths.flatMap((length) => {
      const ms = passes[length].predictedMs[gpu.name];
      return [ms.toFixed(0), ((ms * SAMPLER_STEPS) / 1000).toFixed(1)];
    });
    return `| ${gpu.name} | ${gpu.teraflops} | ${gpu.gigabytesPerSecond} | ${cells.join(' | ')} |`;
  });
  const heads = lengths.flatMap((length) => [
    `${length}: ms a pass`,
    `${length}: s for ${SAMPLER_STEPS} steps`,
  ]);
  return `| GPU | TFLOP/s | GB/s | ${heads.join(' | ')} |
| --- | --- | --- | ${heads.map(() => '---').join(' | ')} |
${rows.join('\n')}`;
}

function page(counts) {
  const { passes, assumed } = counts;
  const [length, { ours }] = Object.entries(passes).at(-1);
  return `# Performance

Written by \`node bench/roofline/write-page.mjs\` from counts of Tango 2's UNet (${giga(ours.parameters, 2)} billion parameters in
float16, a batch of two for guidance, a prompt of 32 tokens). The pass is counted, not computed: the real model, tfjs's
real backend and the real programs run on a device that accepts everything and does nothing (\`bench/counts\`).

## One pass

"Accessed" is what the programs load and store by their own text; caches save much of it. "At least" takes every
operand and result of a dispatch once. Plain tfjs ops have float32 weights, as tfjs has no other.

${totalsTable(passes)}

## By kernel, ${length}

FLOP a byte says what bounds a kernel: a GPU of 30 TFLOP/s and 500 GB/s needs 60 for arithmetic to be the bound.
Occupancy is that of a multiprocessor with ${MULTIPROCESSOR.registerFileBytes / 1024} KiB of registers, ${MULTIPROCESSOR.workgroupMemoryBytes / 1024} KiB of workgroup memory and ${MULTIPROCESSOR.threads} threads.

${kernelTable(ours)}

## What to expect

A prediction, measured on none of these: each program takes the longer of its arithmetic at ${assumed.arithmeticShare * 100} % of the
float32 peak and its bytes, each once, at ${assumed.bandwidthShare * 100} % of the bandwidth; each dispatch costs ${assumed.dispatchMicroseconds} microseconds of its own.
Text encoding, decoding and the vocoder come on top.

${predictionTable(counts)}

One GPU that is not of the table was measured (an H100, [results.md](results.md#one-gpu-an-h100)): a pass of 5.12 s took 62 ms
where the same assumptions predict 41, one of 10.24 s 106 ms where they predict 85. The wider the GPU, the less of it do a
pass's small layers fill, so on narrower ones the prediction should be nearer; that is not measured.

Expect the order of these numbers, not their digits: drivers, browsers and clocks differ, small layers do not fill large
GPUs, and a laptop's chip is slower than the desktop's of the same name. A clip of ten seconds is a matter of seconds on
a desktop GPU and of half a minute on an integrated one. Without a GPU the full-size model is out of reach (its weights
and activations do not fit WebAssembly's memory); the default model is what to use there.

The studio can say how this machine compares: **Engine → Measure** (or \`await studio.benchmark()\`) times each stage of the
model in use and sets it beside this prediction for its own counts, when the adapter is one of the table. Browsers tell
vendor and architecture and rarely the product, so there may be more than one candidate.

Measured ratios to other runtimes are in [results.md](results.md).
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2];
  const counts = file ? JSON.parse(readFileSync(file, 'utf8')) : countPasses();
  writeFileSync(new URL('../../docs/performance.md', import.meta.url), page(counts));
}
