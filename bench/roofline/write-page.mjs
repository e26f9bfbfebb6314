/**
 * `node bench/roofline/write-page.mjs [counts.json]`: writes docs/performance.md from the counts of a full-size pass
 * (bench/counts, counted anew when no file is given). Every number of the page's tables is computed here.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { countPasses } from '../counts/run.mjs';

/** float32 TFLOP/s and GB/s of the makers' data sheets. */
const GPUS = [
  { name: 'GeForce RTX 4090', teraflops: 82.6, gigabytes: 1008 },
  { name: 'GeForce RTX 4070', teraflops: 29.1, gigabytes: 504 },
  { name: 'GeForce RTX 3060', teraflops: 12.7, gigabytes: 360 },
  { name: 'Radeon RX 7800 XT', teraflops: 37.3, gigabytes: 624 },
  { name: 'Arc A770', teraflops: 19.7, gigabytes: 560 },
  { name: 'Apple M3, 10 cores (integrated)', teraflops: 3.5, gigabytes: 100 },
];

const ASSUMED = {
  /** Of the peak, for tiled products in portable WGSL: no tensor cores, float32 sums. */
  arithmetic: 0.3,
  bandwidth: 0.7,
  dispatchMicroseconds: 8,
  /** One multiprocessor of a current GPU. */
  registerFileBytes: 256 * 1024,
  workgroupMemoryBytes: 64 * 1024,
  threads: 1536,
  /** Registers for addresses and loop counters, beside what a program holds. */
  extraRegisterBytes: 64,
};
const SAMPLER_STEPS = 20;

const giga = (value, digits = 1) => (value / 1e9).toFixed(digits);

/** Milliseconds of one pass: each program bound by arithmetic or by memory, and every dispatch's own cost. */
export function predictPass({ programs, dispatches }, { teraflops, gigabytes }) {
  const seconds = Object.values(programs).reduce((sum, { flops, compulsoryBytes }) => {
    const arithmetic = flops / (teraflops * 1e12 * ASSUMED.arithmetic);
    const memory = compulsoryBytes / (gigabytes * 1e9 * ASSUMED.bandwidth);
    return sum + Math.max(arithmetic, memory);
  }, 0);
  return 1000 * seconds + (dispatches * ASSUMED.dispatchMicroseconds) / 1000;
}

/** Threads that fit a multiprocessor by registers, as a part of the most; groups that fit by workgroup memory. */
function occupancy({ registerBytes, workgroupBytes }) {
  const byRegisters =
    ASSUMED.registerFileBytes / (registerBytes + ASSUMED.extraRegisterBytes) / ASSUMED.threads;
  const groups = workgroupBytes === 0 ? 'any' : Math.floor(ASSUMED.workgroupMemoryBytes / workgroupBytes);
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

function predictionTable(passes) {
  const lengths = Object.keys(passes);
  const rows = GPUS.map((gpu) => {
    const cells = lengths.flatMap((length) => {
      const ms = predictPass(passes[length].ours, gpu);
      return [ms.toFixed(0), ((ms * SAMPLER_STEPS) / 1000).toFixed(1)];
    });
    return `| ${gpu.name} | ${gpu.teraflops} | ${gpu.gigabytes} | ${cells.join(' | ')} |`;
  });
  const heads = lengths.flatMap((length) => [
    `${length}: ms a pass`,
    `${length}: s for ${SAMPLER_STEPS} steps`,
  ]);
  return `| GPU | TFLOP/s | GB/s | ${heads.join(' | ')} |
| --- | --- | --- | ${heads.map(() => '---').join(' | ')} |
${rows.join('\n')}`;
}

function page(passes) {
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
Occupancy is that of a multiprocessor with ${ASSUMED.registerFileBytes / 1024} KiB of registers, ${ASSUMED.workgroupMemoryBytes / 1024} KiB of workgroup memory and ${ASSUMED.threads} threads.

${kernelTable(ours)}

## What to expect

A prediction, measured on none of these: each program takes the longer of its arithmetic at ${ASSUMED.arithmetic * 100} % of the
float32 peak and its bytes, each once, at ${ASSUMED.bandwidth * 100} % of the bandwidth; each dispatch costs ${ASSUMED.dispatchMicroseconds} microseconds of its own.
Text encoding, decoding and the vocoder come on top.

${predictionTable(passes)}

Measured ratios to other runtimes are in [results.md](results.md).
`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const file = process.argv[2];
  const passes = file ? JSON.parse(readFileSync(file, 'utf8')) : countPasses();
  writeFileSync(new URL('../../docs/performance.md', import.meta.url), page(passes));
}
