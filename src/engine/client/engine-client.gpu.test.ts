import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { JobCancelledError, WorkerDiedError } from '../../common/errors';
import { type TinyTango, tinyTango } from '../../testing/tiny-tango';
import type { BackendName, EngineStatus, ModelSummary } from '../protocol';
import { createEngineClient, type EngineClient, installWindowStudio } from '.';

/** The studio's own worker, kept so that a test can kill it. */
let worker: Worker;
const clients: EngineClient[] = [];

function startClient(backend: BackendName): EngineClient {
  const client = createEngineClient({
    backend,
    createWorker() {
      worker = new Worker(new URL('../../../workers/engine.worker.ts', import.meta.url), { type: 'module' });
      return worker;
    },
  });
  clients.push(client);
  return client;
}

let tiny: TinyTango;
beforeAll(async () => {
  tiny = await tinyTango();
});

afterEach(() => {
  for (const client of clients.splice(0)) client.dispose();
});

/** The tiny model as a folder that a person picks. */
function pickedFiles(): File[] {
  return tiny.files.map(({ path, blob }) => {
    const file = new File([blob], path.split('/').at(-1)!);
    Object.defineProperty(file, 'webkitRelativePath', { value: `tiny-tango/${path}` });
    return file;
  });
}

async function useTiny(client: EngineClient): Promise<ModelSummary> {
  const model = await client.models.importFiles(pickedFiles());
  return client.models.load(model.id);
}

function statusesOf(client: EngineClient): EngineStatus['state'][] {
  const heard: EngineStatus['state'][] = [client.status.state];
  client.subscribe(({ state }) => heard.push(state));
  return heard;
}

async function untilReady(client: EngineClient): Promise<void> {
  if (client.status.state === 'ready') return;
  await new Promise<void>((resolve) => {
    const stop = client.subscribe(({ state }) => {
      if (state !== 'ready') return;
      stop();
      resolve();
    });
  });
}

const REQUEST = {
  prompt: 'a dog barks and then a telephone rings',
  durationSeconds: 1,
  seed: 7,
  steps: 2,
} as const;

describe.each(['wasm', 'webgpu'] as const)('the engine in its worker on %s', (backend) => {
  // One test, since every new worker compiles its shaders anew.
  it('makes sounds, is cancelled, dies, is replaced, and goes on', { timeout: 600_000 }, async () => {
    const client = startClient(backend);
    const statuses = statusesOf(client);
    const info = await client.info();
    expect(info.backend).toBe(backend);
    if (backend === 'wasm') expect(info.wasm.threads).toBeGreaterThan(1);
    const model = await useTiny(client);
    expect(model).toMatchObject({ name: 'tiny-tango', source: 'imported' });

    const stages: string[] = [];
    const [sound] = await client.generate(REQUEST, { onProgress: ({ stage }) => stages.push(stage) });
    expect(sound!.audio.length).toBe(1600);
    expect([stages[0], stages.at(-1)]).toEqual(['load-model', 'done']);
    const before = (await client.info()).memory;

    const controller = new AbortController();
    let lastStep = 0;
    const cancelled = client.generate(
      { ...REQUEST, steps: 500 },
      {
        signal: controller.signal,
        onProgress: ({ stage, stepIndex }) => {
          lastStep = Math.max(lastStep, stepIndex);
          if (stage === 'denoise' && stepIndex === 1) controller.abort();
        },
      },
    );
    await expect(cancelled).rejects.toBeInstanceOf(JobCancelledError);
    expect(lastStep).toBeLessThan(20);
    const after = (await client.info()).memory;
    expect([after.tensorCount, after.gpuBytes]).toEqual([before.tensorCount, before.gpuBytes]);

    const dead = worker;
    const killed = client.generate(
      { ...REQUEST, steps: 500 },
      { onProgress: ({ stage }) => void (stage === 'denoise' && dead.terminate()) },
    );
    await expect(killed).rejects.toBeInstanceOf(WorkerDiedError);
    expect(client.status.state).toBe('restarting');
    // Once more without naming a model: the new worker loads the one that was in use, from where it is kept.
    const { modelId: _, ...parameters } = sound!.parameters;
    const [again] = await client.generate(parameters);
    expect(again!.parameters.modelId).toBe(model.id);
    expect(again!.audio).toEqual(sound!.audio);
    expect(statuses).toEqual(['starting', 'ready', 'restarting', 'ready']);
  });
});

describe('a client', () => {
  it('gives up when workers keep dying, and starts again when asked to', async () => {
    const client = startClient('wasm');
    for (let death = 1; death <= 3; death++) {
      await untilReady(client);
      worker.terminate();
      await new Promise<void>((resolve) => {
        const stop = client.subscribe(() => {
          stop();
          resolve();
        });
      });
    }
    expect(client.status).toMatchObject({ state: 'failed', code: 'worker-died' });
    await expect(client.info()).rejects.toBeInstanceOf(WorkerDiedError);
    await client.restart();
    expect((await client.info()).backend).toBe('wasm');
  });

  it('says so when the worker cannot start', async () => {
    const client = createEngineClient({
      createWorker: () => new Worker('/no-such-worker.js', { type: 'module' }),
    });
    clients.push(client);
    await expect(client.info()).rejects.toBeInstanceOf(WorkerDiedError);
  });

  it('rejects what waits when it is disposed', async () => {
    const client = startClient('wasm');
    const waiting = client.info();
    client.dispose();
    await expect(waiting).rejects.toBeInstanceOf(JobCancelledError);
    await expect(client.info()).rejects.toBeInstanceOf(JobCancelledError);
  });

  it('keeps codes, models, and the model in use over a change of backend', async () => {
    const client = startClient('wasm');
    installWindowStudio(client);
    expect(window.studio).toBe(client);
    const model = await useTiny(client);
    await expect(client.generate({ prompt: '' })).rejects.toMatchObject({
      code: 'invalid-input',
      name: 'InvalidInputError',
    });
    await expect(client.models.load('tango-9')).rejects.toMatchObject({ code: 'model-not-found' });
    expect(await client.setBackend('webgpu')).toMatchObject({ backend: 'webgpu', model: { id: model.id } });

    // Another client of the same browser finds the model, and removes it.
    const second = startClient('wasm');
    expect((await second.models.list()).map(({ id }) => id)).toContain(model.id);
    await second.models.remove(model.id);
    expect((await second.models.list()).map(({ id }) => id)).not.toContain(model.id);
  });
});
