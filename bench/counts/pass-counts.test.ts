import { writeFileSync } from 'node:fs';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { required } from '../../src/common/assert';
import { ASSUMED, KNOWN_GPUS, predictMilliseconds } from '../../src/gpu/planning/roofline';
import type { PassCounts, PassRequest } from './count-pass';
import config from './tango2-unet.json';

const request = (frames: number, weights: PassRequest['weights']): PassRequest => ({
  config,
  latentSize: [frames, 16],
  batch: 2,
  tokens: 32,
  weights,
});

const SIZES = [
  { seconds: 5.12, frames: 128 },
  { seconds: 10.24, frames: 256 },
];

/** By the frames of the latents. */
const counted = new Map<number, { ours: PassCounts; stock: PassCounts }>();

beforeAll(async () => {
  const count = async (weights: PassRequest['weights']): Promise<PassCounts[]> => {
    vi.resetModules();
    const { countPass } = await import('./count-pass');
    const passes: PassCounts[] = [];
    for (const { frames } of SIZES) passes.push(await countPass(request(frames, weights)));
    return passes;
  };
  // The plain ops first: the studio's kernels stay registered with tfjs once they are imported.
  vi.doMock('../../src/gpu/kernels', () => import('../stock-tfjs/kernels'));
  const stock = await count('float32');
  vi.doUnmock('../../src/gpu/kernels');
  const ours = await count('float16');
  SIZES.forEach(({ frames }, i) => {
    counted.set(frames, { ours: ours[i]!, stock: stock[i]! });
  });
  if (process.env.STUDIO_COUNTS) writeFileSync(process.env.STUDIO_COUNTS, JSON.stringify(report()));
}, 120_000);

const movedBytes = ({ readBytes, writeBytes }: PassCounts): number => readBytes + writeBytes;

/** What run.mjs prints. */
function report(): object {
  const passes = Object.fromEntries(
    SIZES.map(({ seconds, frames }) => {
      const { ours, stock } = required(counted.get(frames), 'the counts');
      const ratios = {
        dispatches: ours.dispatches / stock.dispatches,
        bytes: movedBytes(ours) / movedBytes(stock),
        compulsoryBytes: ours.compulsoryBytes / stock.compulsoryBytes,
        peakBytes: ours.peakBytes / stock.peakBytes,
      };
      const predictedMs = Object.fromEntries(
        KNOWN_GPUS.map((gpu) => [gpu.name, predictMilliseconds(ours, gpu)]),
      );
      return [`${seconds} s`, { ours, stockTfjs: stock, ratios, predictedMs }];
    }),
  );
  const gpus = KNOWN_GPUS.map(({ name, teraflops, gigabytesPerSecond }) => ({
    name,
    teraflops,
    gigabytesPerSecond,
  }));
  return { passes, gpus, assumed: ASSUMED };
}

describe.each(SIZES)("Tango 2's UNet, a batch of two, $seconds s", ({ frames }) => {
  const pass = (): { ours: PassCounts; stock: PassCounts } => required(counted.get(frames), 'the counts');

  it('counts the published model', () => {
    expect(pass().ours.parameters).toBe(pass().stock.parameters);
    expect(pass().ours.parameters).toBeGreaterThan(860e6);
  });

  it('compares with plain tfjs ops only', () => {
    expect(Object.keys(pass().stock.programs)).not.toContain('ProductProgram');
    expect(Object.keys(pass().ours.programs)).toContain('AttentionProgram');
  });

  it('is at most 450 dispatches', () => {
    expect(pass().ours.dispatches).toBeLessThanOrEqual(450);
  });

  it('moves at most half the bytes of plain tfjs ops', () => {
    expect(movedBytes(pass().ours) / movedBytes(pass().stock)).toBeLessThanOrEqual(0.5);
  });

  it('takes at most 2.6 GB with its weights', () => {
    expect(pass().ours.peakBytes).toBeLessThanOrEqual(2.6e9);
  });

  it('makes no buffer and no bind group after the first pass, and writes the timestep’s embedding only', () => {
    expect(pass().ours.calls).toMatchObject({ createBuffer: 0, createBindGroup: 0, writeBuffer: 1 });
    expect(pass().ours.newBufferBytes).toBe(0);
  });

  it('binds at most 128 MiB at once, so that small adapters can run it', () => {
    expect(pass().ours.largestBindingBytes).toBeLessThanOrEqual(128 * 2 ** 20);
  });
});
