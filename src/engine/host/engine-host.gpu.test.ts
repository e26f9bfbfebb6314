import * as tf from '@tensorflow/tfjs-core';
import { afterAll, expect, it } from 'vitest';
import { DeviceLostError, JobCancelledError } from '../../common/errors';
import { expectClose, tinyTango } from '../../testing';
import type { Sound, TensorData } from '../protocol';
import type { EngineEvent } from '../rpc/methods';
import { EngineHost } from './engine-host';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';

const events: EngineEvent[] = [];
let host: EngineHost;
afterAll(() => host.dispose());

async function usage(): Promise<{ tensorCount: number; gpuBytes: number }> {
  const { memory } = await host.info();
  return { tensorCount: memory.tensorCount, gpuBytes: memory.gpuBytes };
}

function samplesOf(sound: Sound | undefined): TensorData {
  return { data: sound!.audio, shape: [sound!.audio.length] };
}

// One test, since shaders are compiled once a device, which is most of the time on a processor.
it('WebGPU: sounds, no leak, cancellation, a lost device, and on with WebAssembly', {
  timeout: 600_000,
}, async () => {
  const tiny = await tinyTango('F16');
  host = await EngineHost.open(
    { backend: 'webgpu', modelsUrl: 'http://127.0.0.1:9/models/', modelId: null },
    (event) => events.push(event),
    new ModelStore(new MemoryStore()),
  );
  const model = await host.models.importFiles(tiny.files);
  await host.models.use(model.id);
  const request = { prompt: tiny.prompt, durationSeconds: 1, steps: 2, seed: 7, scheduler: 'ddim' } as const;

  const [onGpu] = await host.generate(request);
  expect(onGpu!.backend).toBe('webgpu');
  const before = await usage();
  expect(before.gpuBytes).toBeGreaterThan(0);
  await host.generate(request);
  expect(await usage()).toEqual(before);

  const controller = new AbortController();
  let stepsBegun = 0;
  const cancelled = host.generate(
    { ...request, steps: 100 },
    {
      signal: controller.signal,
      onProgress: ({ stage, preview }) => {
        if (stage === 'denoise' && !preview && ++stepsBegun === 2) controller.abort();
      },
    },
  );
  await expect(cancelled).rejects.toBeInstanceOf(JobCancelledError);
  expect(stepsBegun).toBe(2);
  expect(await usage()).toEqual(before);

  const lost = host.generate(
    { ...request, steps: 100 },
    {
      // Not by the studio: as when the driver resets.
      onProgress: ({ stage, stepIndex }) => {
        if (stage === 'denoise' && stepIndex === 1) deviceInUse().destroy();
      },
    },
  );
  await expect(lost).rejects.toBeInstanceOf(DeviceLostError);
  expect(events).toEqual([{ type: 'device-lost', message: expect.any(String) }]);
  await expect(host.models.use(model.id)).rejects.toBeInstanceOf(DeviceLostError);

  expect(await host.setBackend('wasm')).toMatchObject({ backend: 'wasm', backendChoice: 'wasm' });
  const [onWasm] = await host.generate(request);
  await expectClose(samplesOf(onWasm), samplesOf(onGpu), { relativeToRms: 1e-3 });
});

function deviceInUse(): GPUDevice {
  return (tf.backend() as unknown as { device: GPUDevice }).device;
}
