import { describe, expect, it } from 'vitest';
import { KNOWN_GPUS, knownGpusOf, predictMilliseconds } from './roofline';

const program = (flops: number, compulsoryBytes: number) => ({
  dispatches: 1,
  flops,
  compulsoryBytes,
  readBytes: 0,
  writeBytes: 0,
  workgroupBytes: 0,
  registerBytes: 0,
});

describe('predictMilliseconds', () => {
  it('takes the longer of arithmetic and memory for each program, and every dispatch', () => {
    const gpu = { teraflops: 10, gigabytesPerSecond: 100 };
    const counts = {
      dispatches: 125,
      programs: { arithmetic: program(3e9, 1e6), memory: program(1e6, 7e7) },
    };
    // 3 GFLOP at 3 TFLOP/s, 70 MB at 70 GB/s, 125 dispatches of 8 µs: a millisecond each.
    expect(predictMilliseconds(counts, gpu)).toBeCloseTo(3, 6);
  });
});

describe('knownGpusOf', () => {
  const names = (vendor: string, architecture: string, description = ''): string[] =>
    knownGpusOf({ vendor, architecture, description }).map(({ name }) => name);

  it('takes the product where the browser names it', () => {
    expect(names('nvidia', 'lovelace', 'NVIDIA GeForce RTX 4070')).toEqual(['GeForce RTX 4070']);
    expect(names('intel', '', 'Intel(R) Arc(TM) A770 Graphics')).toEqual(['Arc A770']);
  });

  it('takes all of an architecture where it does not', () => {
    expect(names('nvidia', 'lovelace')).toEqual(['GeForce RTX 4090', 'GeForce RTX 4070']);
    expect(names('NVIDIA', 'Ampere')).toEqual(['GeForce RTX 3060']);
    expect(names('apple', 'metal-3')).toHaveLength(1);
  });

  it('knows nothing of others', () => {
    expect(names('google', 'swiftshader', 'SwiftShader Device')).toEqual([]);
    expect(names('nvidia', 'lovelace', 'NVIDIA GeForce RTX 4070 Laptop GPU')).toEqual([]);
    expect(names('nvidia', 'turing')).toEqual([]);
    expect(new Set(KNOWN_GPUS.map(({ name }) => name)).size).toBe(KNOWN_GPUS.length);
  });
});
