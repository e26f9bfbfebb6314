import { afterEach, describe, expect, it } from 'vitest';
import {
  DeviceLostError,
  InvalidInputError,
  JobCancelledError,
  NetworkError,
  StateDictError,
  WorkerDiedError,
} from '../../common/errors';
import type { EngineInfo, GenerateProgress, Sound, StudioEngine } from '../protocol';
import { connectEngine, type EngineConnection } from './connect-engine';
import { type EngineEvent, engineFrom } from './methods';
import { serveEngine } from './serve-engine';
import { transferablesOf } from './transferables';
import { asStudioError, fromWireError, toWireError } from './wire-error';

const START = { backend: 'auto', modelsUrl: 'http://studio/models/', modelId: null } as const;
const notCalled = (): Promise<never> => Promise.reject(new Error('not called in this test'));
const noEngine: StudioEngine = {
  info: notCalled,
  setBackend: notCalled,
  models: {
    ...{
      list: notCalled,
      importFiles: notCalled,
      load: notCalled,
      use: notCalled,
      adapters: notCalled,
      unload: notCalled,
      remove: notCalled,
    },
    ...{
      verify: notCalled,
      inspect: notCalled,
      download: notCalled,
      downloads: notCalled,
      storage: notCalled,
    },
  },
  generate: notCalled,
  stages: {
    encodeText: notCalled,
    predict: notCalled,
    encode: notCalled,
    decode: notCalled,
    vocode: notCalled,
    mel: notCalled,
  },
  train: {
    start: notCalled,
    resume: notCalled,
    pause: notCalled,
    runs: notCalled,
    checkpoint: notCalled,
    metrics: notCalled,
    history: notCalled,
    samples: notCalled,
    examine: notCalled,
    listen: notCalled,
    rename: notCalled,
    estimate: notCalled,
    exportMetrics: notCalled,
    lineage: notCalled,
    exportMerged: notCalled,
    remove: notCalled,
    exportAdapter: notCalled,
    importAdapter: notCalled,
  },
  preferences: {
    clusterPrompts: notCalled,
    datasets: notCalled,
    create: notCalled,
    forecast: notCalled,
    run: notCalled,
    pause: notCalled,
    remove: notCalled,
    groups: notCalled,
    clip: notCalled,
    select: notCalled,
    votes: notCalled,
    vote: notCalled,
    removeVote: notCalled,
    pairs: notCalled,
    health: notCalled,
    importFiles: notCalled,
    exportFile: notCalled,
  },
  benchmark: notCalled,
  sentenceEmbeddings: {
    models: notCalled,
    importFiles: notCalled,
    verify: notCalled,
    remove: notCalled,
    embed: notCalled,
  },
  clap: {
    models: notCalled,
    importFiles: notCalled,
    remove: notCalled,
    score: notCalled,
    embedText: notCalled,
    embedAudio: notCalled,
    verify: notCalled,
    unload: notCalled,
  },
  panns: {
    models: notCalled,
    importFiles: notCalled,
    verify: notCalled,
    unload: notCalled,
    remove: notCalled,
    tag: notCalled,
  },
};

const open: MessageChannel[] = [];

/** An engine behind a real MessageChannel, and the page's end of it. */
function connect(engine: Partial<StudioEngine>): {
  remote: StudioEngine;
  connection: EngineConnection;
  emit: (event: EngineEvent) => void;
} {
  const channel = new MessageChannel();
  open.push(channel);
  let emit: (event: EngineEvent) => void = () => {};
  serveEngine(
    async (_, onEvent) => {
      emit = onEvent;
      return { ...noEngine, ...engine };
    },
    channel.port1,
    null,
  );
  const connection = connectEngine(channel.port2);
  return { remote: engineFrom(connection.invoke), connection, emit: (event) => emit(event) };
}

afterEach(() => {
  for (const { port1, port2 } of open.splice(0)) {
    port1.close();
    port2.close();
  }
});

function soundOf(audio: Float32Array): Sound {
  return {
    id: 'a',
    audio,
    sampleRateHz: 16_000,
    seed: 1,
    takeIndex: 0,
    parameters: {
      prompt: 'a dog barks',
      negativePrompt: '',
      steps: 1,
      guidanceScale: 3,
      scheduler: 'ddim',
      seed: 1,
      durationSeconds: 1,
      count: 1,
      modelId: 'default',
    },
    truncated: false,
    melSpectrogram: { data: new Float32Array(4), frames: 2, melBins: 2 },
    backend: 'wasm',
    elapsedSeconds: 0,
  };
}

describe('an error across the boundary', () => {
  it('keeps its class, code, message, name and the text of its causes', async () => {
    const inner = new TypeError('of the socket');
    const thrown = new StateDictError('unet.conv_in.weight is missing.', {
      cause: new Error('read failed', { cause: inner }),
    });
    const { remote, connection } = connect({ info: () => Promise.reject(thrown) });
    await connection.start(START, () => {});
    const error = await remote.info().catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(StateDictError);
    expect(error).toMatchObject({
      code: 'state-dict',
      name: 'StateDictError',
      message: 'unet.conv_in.weight is missing.',
      cause: { message: 'Error: read failed', cause: { message: 'TypeError: of the socket' } },
    });
  });

  it('is an internal error when nobody foresaw it, with the original as its cause', async () => {
    const { remote, connection } = connect({ info: () => Promise.reject(new TypeError('x is undefined')) });
    await connection.start(START, () => {});
    await expect(remote.info()).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('x is undefined'),
      cause: { message: 'TypeError: x is undefined' },
    });
  });

  it('comes from starting the engine, too', async () => {
    const channel = new MessageChannel();
    open.push(channel);
    serveEngine(() => Promise.reject(new NetworkError('gone')), channel.port1, null);
    const connection = connectEngine(channel.port2);
    await expect(connection.start(START, () => {})).rejects.toBeInstanceOf(NetworkError);
    await expect(connection.invoke('info', [])).rejects.toBeInstanceOf(NetworkError);
  });

  it('is told from what engines throw', () => {
    expect(asStudioError(new RangeError('Array buffer allocation failed'))).toMatchObject({
      code: 'out-of-memory',
    });
    expect(asStudioError(new DOMException('', 'QuotaExceededError'))).toMatchObject({ code: 'storage' });
    expect(asStudioError(new DOMException('', 'AbortError'))).toMatchObject({ code: 'cancelled' });
    expect(asStudioError('a string')).toMatchObject({ code: 'internal' });
    expect(asStudioError(undefined)).toMatchObject({ code: 'internal' });
    const lost = new DeviceLostError('lost');
    expect(asStudioError(lost)).toBe(lost);
    expect(fromWireError(structuredClone(toWireError(lost)))).toBeInstanceOf(DeviceLostError);
  });
});

describe('a job across the boundary', () => {
  it('reports progress in order, all of it before its result, and moves the result', async () => {
    const audio = new Float32Array([0.5, -0.5]);
    const progress = (stepIndex: number): GenerateProgress => ({
      stage: 'denoise',
      takeIndex: 0,
      takeCount: 1,
      stepIndex,
      stepCount: 3,
      fraction: stepIndex / 3,
      remainingSeconds: null,
    });
    const { remote, connection } = connect({
      generate: async (_, options) => {
        for (let step = 1; step <= 3; step++) options?.onProgress?.(progress(step));
        return [soundOf(audio)];
      },
    });
    await connection.start(START, () => {});
    const heard: string[] = [];
    const sounds = await remote.generate(
      { prompt: 'a dog barks' },
      { onProgress: ({ stepIndex }) => heard.push(`step ${stepIndex}`) },
    );
    heard.push('result');
    expect(heard).toEqual(['step 1', 'step 2', 'step 3', 'result']);
    expect(sounds[0]?.audio).toEqual(new Float32Array([0.5, -0.5]));
    expect(audio.byteLength, 'the samples were moved, not copied').toBe(0);
  });

  it('ends when its signal aborts', async () => {
    const { remote, connection } = connect({
      generate: (_, options) =>
        new Promise((_resolve, reject) => {
          options?.signal?.addEventListener('abort', () => reject(options.signal?.reason));
          options?.onProgress?.({
            stage: 'denoise',
            takeIndex: 0,
            takeCount: 1,
            stepIndex: 1,
            stepCount: 2,
            fraction: 0.5,
            remainingSeconds: 1,
          });
        }),
    });
    await connection.start(START, () => {});
    const controller = new AbortController();
    const job = remote.generate(
      { prompt: 'a dog barks' },
      { signal: controller.signal, onProgress: () => controller.abort() },
    );
    await expect(job).rejects.toBeInstanceOf(JobCancelledError);
  });

  it('is not begun when its signal has aborted', async () => {
    const { remote, connection } = connect({});
    await connection.start(START, () => {});
    const job = remote.generate({ prompt: 'a dog barks' }, { signal: AbortSignal.abort() });
    await expect(job).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('rejects when the connection is closed, and so does every later one', async () => {
    const { remote, connection } = connect({ generate: () => new Promise(() => {}) });
    await connection.start(START, () => {});
    const job = remote.generate({ prompt: 'a dog barks' });
    connection.close(new WorkerDiedError('it died'));
    await expect(job).rejects.toBeInstanceOf(WorkerDiedError);
    await expect(remote.info()).rejects.toBeInstanceOf(WorkerDiedError);
  });

  it('says what cannot be sent', async () => {
    const { remote, connection } = connect({});
    await connection.start(START, () => {});
    const request = { prompt: 'a dog barks', latents: () => {} } as unknown as { prompt: string };
    await expect(remote.generate(request)).rejects.toBeInstanceOf(InvalidInputError);
  });

  it('answers while another one runs', async () => {
    const info = { backend: 'wasm' } as EngineInfo;
    const { remote, connection } = connect({ generate: () => new Promise(() => {}), info: async () => info });
    await connection.start(START, () => {});
    void remote.generate({ prompt: 'a dog barks' });
    expect(await remote.info()).toEqual(info);
  });
});

it('carries what the engine says without being asked', async () => {
  const { connection, emit } = connect({});
  const heard = new Promise<EngineEvent>((resolve) => void connection.start(START, resolve));
  await connection.hello();
  emit({ type: 'device-lost', message: 'reset' });
  expect(await heard).toEqual({ type: 'device-lost', message: 'reset' });
});

it('transfers whole buffers only, each once', () => {
  const whole = new Float32Array(4);
  const part = new Float32Array(new ArrayBuffer(32), 0, 4);
  const shared = new Float32Array(new SharedArrayBuffer(16));
  const value = {
    a: whole,
    b: [{ c: whole }, { d: part }],
    e: shared,
    f: [1, 2],
    g: null,
    h: new Blob(['x']),
  };
  expect(transferablesOf(value)).toEqual([whole.buffer]);
});
