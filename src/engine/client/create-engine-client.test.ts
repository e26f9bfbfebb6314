import { afterEach, describe, expect, it } from 'vitest';
import { BackendUnavailableError, DeviceLostError } from '../../common/errors';
import type { EngineInfo, EngineStatus, ModelSummary, StudioEngine } from '../protocol';
import type { EngineEvent, EngineStartOptions } from '../rpc/methods';
import { serveEngine } from '../rpc/serve-engine';
import { createEngineClient } from './create-engine-client';
import type { EngineClient } from './engine-client';

/** What each worker was started with, and a way to lose its GPU. */
interface Started {
  readonly options: EngineStartOptions;
  readonly emit: (event: EngineEvent) => void;
}

const LOST: EngineEvent = { type: 'device-lost', message: 'the driver was reset' };
const started: Started[] = [];
const open: (() => void)[] = [];

afterEach(() => {
  for (const close of open.splice(0)) close();
  started.length = 0;
});

/** An engine that knows any model and never ends a sound. */
function engineOf(options: EngineStartOptions): StudioEngine {
  const unused = (): Promise<never> => Promise.reject(new Error('not called in this test'));
  const stages = {
    encodeText: unused,
    predict: unused,
    encode: unused,
    decode: unused,
    vocode: unused,
    mel: unused,
  };
  return {
    info: async () => ({ backendChoice: options.backend }) as EngineInfo,
    setBackend: async (backendChoice) => ({ backendChoice }) as EngineInfo,
    models: {
      list: unused,
      importFiles: unused,
      remove: unused,
      load: async (id) => ({ id }) as ModelSummary,
      use: unused,
      adapters: unused,
      ...{
        unload: unused,
        verify: unused,
        inspect: unused,
        download: unused,
        downloads: unused,
        storage: unused,
      },
    },
    generate: () => new Promise(() => {}),
    stages,
    train: {
      start: unused,
      resume: unused,
      pause: unused,
      runs: unused,
      checkpoint: unused,
      metrics: unused,
      history: unused,
      samples: unused,
      examine: unused,
      listen: unused,
      rename: unused,
      estimate: unused,
      exportMetrics: unused,
      lineage: unused,
      exportMerged: unused,
      remove: unused,
      exportAdapter: unused,
      importAdapter: unused,
    },
    preferences: {
      clusterPrompts: unused,
      datasets: unused,
      create: unused,
      forecast: unused,
      run: unused,
      pause: unused,
      remove: unused,
      groups: unused,
      clip: unused,
      select: unused,
      votes: unused,
      vote: unused,
      removeVote: unused,
      pairs: unused,
      health: unused,
      importFiles: unused,
      exportFile: unused,
    },
    benchmark: unused,
    sentenceEmbeddings: {
      models: unused,
      importFiles: unused,
      verify: unused,
      remove: unused,
      embed: unused,
    },
    clap: {
      models: unused,
      importFiles: unused,
      remove: unused,
      score: unused,
      embedText: unused,
      embedAudio: unused,
      verify: unused,
      unload: unused,
    },
    panns: {
      models: unused,
      importFiles: unused,
      verify: unused,
      unload: unused,
      remove: unused,
      tag: unused,
    },
  };
}

/** A client whose workers are the other ends of message channels. */
function startClient(engine: (options: EngineStartOptions) => StudioEngine = engineOf): EngineClient {
  const client = createEngineClient({
    backend: 'webgpu',
    modelsUrl: 'http://studio/models/',
    createWorker() {
      const { port1, port2 } = new MessageChannel();
      const serve = async (options: EngineStartOptions, emit: Started['emit']): Promise<StudioEngine> => {
        started.push({ options, emit });
        return engine(options);
      };
      serveEngine(serve, port1, null);
      const close = (): void => {
        port1.close();
        port2.close();
      };
      open.push(close);
      // A port is all of a Worker that the client uses, but for `terminate`.
      return Object.assign(port2, { terminate: close }) as unknown as Worker;
    },
  });
  open.push(() => client.dispose());
  return client;
}

function until(client: EngineClient, state: EngineStatus['state']): Promise<EngineStatus> {
  if (client.status.state === state) return Promise.resolve(client.status);
  return new Promise((resolve) => {
    const stop = client.subscribe((status) => {
      if (status.state !== state) return;
      stop();
      resolve(status);
    });
  });
}

describe('a client whose GPU is lost', () => {
  it('starts a new worker on the same backend with the same model, and rejects the job that ran', async () => {
    const client = startClient();
    await client.models.load('tiny-1');
    const job = client.generate({ prompt: 'a dog barks' });
    await client.info();
    started[0]!.emit(LOST);
    await expect(job).rejects.toBeInstanceOf(DeviceLostError);
    await expect(job).rejects.toThrow(/the driver was reset.*Run the job again/);
    expect(client.status.state).toBe('restarting');
    await until(client, 'ready');
    expect(started.map(({ options }) => options)).toEqual([
      { backend: 'webgpu', modelsUrl: 'http://studio/models/', modelId: null },
      { backend: 'webgpu', modelsUrl: 'http://studio/models/', modelId: 'tiny-1' },
    ]);
  });

  it('offers to load the page again after the second time, and WebAssembly meanwhile', async () => {
    const client = startClient();
    await until(client, 'ready');
    started[0]!.emit(LOST);
    await until(client, 'restarting');
    await until(client, 'ready');
    started[1]!.emit(LOST);
    expect(await until(client, 'failed')).toMatchObject({
      code: 'device-lost',
      message: expect.stringMatching(/Reload the page.*WebAssembly/),
    });
    await expect(client.generate({ prompt: 'a dog barks' })).rejects.toBeInstanceOf(DeviceLostError);
    expect(started.length).toBe(2);
    expect(await client.setBackend('wasm')).toMatchObject({ backendChoice: 'wasm' });
    expect(client.status.state).toBe('ready');
  });
});

describe('a client whose engine cannot start', () => {
  it('says why, and starts when another backend is chosen', async () => {
    const client = startClient((options) => {
      if (options.backend === 'webgpu') throw new BackendUnavailableError('no GPU. Choose WebAssembly.');
      return engineOf(options);
    });
    expect(await until(client, 'failed')).toEqual({
      state: 'failed',
      code: 'backend-unavailable',
      message: 'no GPU. Choose WebAssembly.',
    });
    await expect(client.info()).rejects.toBeInstanceOf(BackendUnavailableError);
    await expect(client.restart()).rejects.toBeInstanceOf(BackendUnavailableError);
    await client.setBackend('wasm');
    expect(client.status.state).toBe('ready');
    expect(await client.info()).toMatchObject({ backendChoice: 'wasm' });
  });
});

it('a call that waits for the engine to start can be cancelled', async () => {
  const client = startClient();
  const job = client.generate({ prompt: 'a dog barks' }, { signal: AbortSignal.abort() });
  await expect(job).rejects.toMatchObject({ code: 'cancelled' });
});

it('status listeners can stop listening', async () => {
  const client = startClient();
  const heard: string[] = [];
  const stop = client.subscribe(({ state }) => heard.push(state));
  await until(client, 'ready');
  stop();
  await client.restart();
  expect(heard).toEqual(['ready']);
});
