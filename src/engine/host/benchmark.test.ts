import { afterEach, describe, expect, it } from 'vitest';
import { InvalidInputError, JobCancelledError } from '../../common/errors';
import { tinyTango } from '../../testing';
import type { BenchmarkProgress } from '../protocol-benchmark';
import { EngineHost } from './engine-host';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';

/** One second of the tiny model by torch.utils.flop_counter: tools/fixtures/flops.py prints them. */
const TORCH_FLOPS = { 'encode-text': 177_408, denoise: 13_578_752, decode: 20_633_088, vocode: 4_660_280 };

const tiny = await tinyTango();
const opened: EngineHost[] = [];

async function openTiny(): Promise<EngineHost> {
  const options = { backend: 'wasm', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null } as const;
  const host = await EngineHost.open(options, () => {}, new ModelStore(new MemoryStore()));
  opened.push(host);
  const model = await host.models.importFiles(tiny.files);
  await host.models.use(model.id);
  return host;
}

afterEach(() => {
  for (const host of opened.splice(0)) host.dispose();
});

describe('benchmark', () => {
  it('times every stage, counts what torch counts, and leaves nothing behind', async () => {
    const host = await openTiny();
    await host.benchmark({ runs: 1, durationSeconds: 1 });
    const before = (await host.info()).memory.tensorCount;
    const heard: BenchmarkProgress[] = [];
    const result = await host.benchmark(
      { runs: 3, durationSeconds: 1 },
      { onProgress: (progress) => heard.push(progress) },
    );
    expect((await host.info()).memory.tensorCount).toBe(before);
    expect(result).toMatchObject({ backend: 'wasm', adapter: null, durationSeconds: 1, runs: 3 });
    expect(result.stages.map(({ stage }) => stage)).toEqual(Object.keys(TORCH_FLOPS));
    for (const stage of result.stages) {
      const { milliseconds, medianMilliseconds, gigaflop, gigaflopPerSecond } = stage;
      expect(milliseconds).toHaveLength(3);
      expect(medianMilliseconds).toBe([...milliseconds].sort((a, b) => a - b)[1]);
      expect(gigaflop * 1e9).toBeCloseTo(TORCH_FLOPS[stage.stage], 0);
      expect(gigaflopPerSecond).toBeCloseTo((1000 * gigaflop) / medianMilliseconds, 6);
      expect(stage).toMatchObject({ dispatches: null, predictions: [] });
    }
    expect(heard.map(({ stage, runIndex }) => `${stage} ${runIndex}`)).toEqual(
      Object.keys(TORCH_FLOPS).flatMap((stage) => [0, 1, 2, 3].map((run) => `${stage} ${run}`)),
    );
    const fractions = heard.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  });

  it('is cancelled between runs, and the engine goes on', async () => {
    const host = await openTiny();
    const controller = new AbortController();
    const cancelled = host.benchmark(
      { runs: 50, durationSeconds: 1 },
      { signal: controller.signal, onProgress: ({ runIndex }) => runIndex === 2 && controller.abort() },
    );
    await expect(cancelled).rejects.toBeInstanceOf(JobCancelledError);
    expect((await host.benchmark({ runs: 1, durationSeconds: 1 })).stages).toHaveLength(4);
  });

  it('refuses what it cannot measure', async () => {
    const host = await openTiny();
    await expect(host.benchmark({ runs: 0 })).rejects.toBeInstanceOf(InvalidInputError);
    await expect(host.benchmark({ durationSeconds: 99 })).rejects.toThrow(/durationSeconds.*but 99 came/);
  });
});
