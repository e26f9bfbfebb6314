import { afterEach, describe, expect, it } from 'vitest';
import {
  BackendUnavailableError,
  InvalidInputError,
  JobCancelledError,
  ModelNotFoundError,
  NetworkError,
  StateDictError,
  WeightsFormatError,
} from '../../common/errors';
import { expectClose, tinyTango } from '../../testing';
import type { GenerateProgress, ModelFile, ModelSummary } from '../protocol';
import { EngineHost } from './engine-host';
import { MemoryStore } from './key-value-store';
import { ModelStore } from './model-store';

/** An address where nothing is served: only imported models can be used. */
const NOWHERE = 'http://127.0.0.1:9/models/';

const tiny = await tinyTango();
const half = await tinyTango('F16');
const { scheduler, seed, negativePrompt, guidanceScale, durationSeconds, steps } = tiny.requests.ddim!;
const REQUEST = {
  prompt: tiny.prompt,
  ...{ scheduler, seed, negativePrompt, guidanceScale, durationSeconds, steps },
};
const SHORT = { ...REQUEST, steps: 2 };

const opened: EngineHost[] = [];

async function openHost(): Promise<EngineHost> {
  const options = { backend: 'wasm', modelsUrl: NOWHERE, modelId: null } as const;
  const host = await EngineHost.open(options, () => {}, new ModelStore(new MemoryStore()));
  opened.push(host);
  return host;
}

/** An engine with the tiny model in use. */
async function openTiny(): Promise<{ host: EngineHost; model: ModelSummary }> {
  const host = await openHost();
  const model = await host.models.importFiles(tiny.files);
  await host.models.use(model.id);
  return { host, model };
}

function replaced(path: string, change: (blob: Blob) => Blob): ModelFile[] {
  return tiny.files.map((file) => (file.path === path ? { path, blob: change(file.blob) } : file));
}

async function usage(host: EngineHost): Promise<{ tensorCount: number; gpuBytes: number }> {
  const { memory } = await host.info();
  return { tensorCount: memory.tensorCount, gpuBytes: memory.gpuBytes };
}

afterEach(() => {
  for (const host of opened.splice(0)) host.dispose();
});

describe('EngineHost', () => {
  it('makes the sound that PyTorch makes, and every stage of it when asked', async () => {
    const { host, model } = await openTiny();
    const [sound] = await host.generate({ ...REQUEST, returnStages: true });
    const expected = tiny.fixture.values('ddim/waveform');
    await expectClose(sound!.stages!.waveform, expected, { relativeToRms: 1e-3 });
    expect(sound).toMatchObject({
      sampleRateHz: 1600,
      seed,
      takeIndex: 0,
      backend: 'wasm',
      parameters: { ...REQUEST, modelId: model.id, count: 1 },
      truncated: false,
      melSpectrogram: { frames: 100, melBins: 16 },
    });
    expect(sound!.audio.length).toBe(1600);
    expect(sound!.elapsedSeconds).toBeGreaterThan(0);
    expect(sound!.stages!.latents.length).toBe(steps);
  });

  it('makes takes of following seeds, each handed over when it is done, and reports on the way', async () => {
    const { host } = await openTiny();
    const heard: GenerateProgress[] = [];
    const request = { ...SHORT, seed: 2 ** 32 - 1, count: 2 };
    const sounds = await host.generate(request, { onProgress: (progress) => heard.push(progress) });
    expect(sounds.map((sound) => sound.seed)).toEqual([2 ** 32 - 1, 0]);
    expect(heard.flatMap(({ sound }) => (sound ? [sound] : []))).toEqual(sounds);
    const stages = heard
      .filter(({ preview }) => !preview)
      .map(({ stage, takeIndex }) => `${takeIndex} ${stage}`);
    const take = ['encode-text', 'denoise', 'denoise', 'decode', 'vocode', 'done'];
    expect(stages).toEqual([
      '0 load-model',
      ...take.map((stage) => `0 ${stage}`),
      ...take.map((stage) => `1 ${stage}`),
    ]);
    const fractions = heard.map(({ fraction }) => fraction);
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(heard.at(-1)).toMatchObject({ fraction: 1, remainingSeconds: 0, stepIndex: 2, stepCount: 2 });
    expect(heard.every(({ takeCount }) => takeCount === 2)).toBe(true);

    // The second take alone, from the parameters it carries.
    const [again] = await host.generate(sounds[1]!.parameters);
    expect(again!.audio).toEqual(sounds[1]!.audio);
  });

  it('leaves tensors and bytes as they were: after a sound, a cancelled one, a failed one, another model', async () => {
    const { host, model } = await openTiny();
    await host.generate(SHORT);
    const before = await usage(host);
    await host.generate(SHORT);
    expect(await usage(host)).toEqual(before);

    const controller = new AbortController();
    const cancelled = host.generate(REQUEST, {
      signal: controller.signal,
      onProgress: ({ stage }) => {
        if (stage === 'denoise') controller.abort();
      },
    });
    await expect(cancelled).rejects.toBeInstanceOf(JobCancelledError);
    expect(await usage(host)).toEqual(before);

    const latents = { data: new Float32Array(4), shape: [1, 1, 2, 2] };
    await expect(host.generate({ ...SHORT, latents })).rejects.toBeInstanceOf(InvalidInputError);
    expect(await usage(host)).toEqual(before);

    const other = await host.models.importFiles(half.files);
    await host.generate({ ...SHORT, modelId: other.id });
    expect((await host.info()).model?.id).toBe(other.id);
    await host.models.use(model.id);
    await host.generate(SHORT);
    expect(await usage(host)).toEqual(before);
  });

  it('cancels within one step, and goes on with the next job', async () => {
    const { host } = await openTiny();
    const controller = new AbortController();
    let stepsBegun = 0;
    const cancelled = host.generate(
      { ...REQUEST, steps: 100 },
      {
        signal: controller.signal,
        onProgress: ({ stage, preview }) => {
          if (stage === 'denoise' && !preview && ++stepsBegun === 3) controller.abort();
        },
      },
    );
    await expect(cancelled).rejects.toBeInstanceOf(JobCancelledError);
    expect(stepsBegun).toBe(3);
    expect((await host.generate(SHORT)).length).toBe(1);
  });

  it('takes one job at a time; one that waits says so and can be cancelled', async () => {
    const { host } = await openTiny();
    const order: string[] = [];
    const first = host.generate(SHORT, { onProgress: ({ stage }) => order.push(`first ${stage}`) });
    const controller = new AbortController();
    const second = host.generate(SHORT, {
      signal: controller.signal,
      onProgress: ({ stage }) => order.push(`second ${stage}`),
    });
    const third = host.generate(SHORT, { onProgress: ({ stage }) => order.push(`third ${stage}`) });
    controller.abort();
    await expect(second).rejects.toBeInstanceOf(JobCancelledError);
    await Promise.all([first, third]);
    expect(order.filter((entry) => entry.startsWith('second'))).toEqual(['second queued']);
    expect(order.indexOf('third load-model')).toBeGreaterThan(order.indexOf('first done'));
  });

  it('gives its stages one by one', async () => {
    const { host } = await openTiny();
    const [sound] = await host.generate({ ...SHORT, guidanceScale: 1, returnStages: true });
    const { stages } = sound!;
    const text = await host.stages.encodeText([tiny.prompt]);
    await expectClose(text.states, stages!.textStates, { relativeToRms: 1e-5 });
    expect(text.inputIds[0]?.length).toBe(text.states.shape[1]);
    const prediction = await host.stages.predict({
      sample: stages!.initialLatents,
      timestep: stages!.timesteps[0]!,
      textStates: text.states,
      textMask: text.mask,
    });
    expect(prediction.shape).toEqual(stages!.initialLatents.shape);
    const mel = await host.stages.decode(stages!.latents.at(-1)!);
    await expectClose(mel, stages!.mel, { relativeToRms: 1e-4 });
    await expectClose(await host.stages.vocode(mel), stages!.waveform, { relativeToRms: 1e-3 });
    const latents = await host.stages.encode(mel);
    expect(latents.shape).toEqual(stages!.initialLatents.shape);
    const waveform = { data: sound!.audio, shape: [sound!.audio.length] };
    expect((await host.stages.mel(waveform)).shape).toEqual([1, 1, 100, 16]);
  });

  it('stays with its model where it is when another backend cannot be had', async () => {
    const { host, model } = await openTiny();
    await expect(host.setBackend('webgpu')).rejects.toBeInstanceOf(BackendUnavailableError);
    expect((await host.info()).model?.id).toBe(model.id);
    expect(await host.setBackend('auto')).toMatchObject({ backend: 'wasm', backendChoice: 'auto' });
    expect((await host.info()).model?.id).toBe(model.id);
    expect((await host.generate(SHORT)).length).toBe(1);
  });
});

describe('the models of EngineHost', () => {
  it('are described from their files', async () => {
    const { host, model } = await openTiny();
    expect(model).toMatchObject({
      name: 'Imported model',
      source: 'imported',
      precision: 'float32',
      sampleRateHz: 1600,
      license: null,
    });
    expect(model.id).toMatch(/^imported-model-[0-9a-f]{8}$/);
    expect(model.components.map(({ name, className }) => `${name}: ${className}`)).toEqual([
      'text_encoder: T5EncoderModel',
      'unet: UNet2DConditionModel',
      'vae: AutoencoderKL',
      'vocoder: SpeechT5HifiGan',
    ]);
    expect(model.bytes).toBe(4 * model.parameterCount);
    expect(await host.models.list()).toEqual([model]);
    const halfModel = await host.models.importFiles([
      ...half.files.map(({ path, blob }) => ({ path: `my-tango/${path}`, blob })),
      {
        path: 'my-tango/README.md',
        blob: new Blob(['---\nlicense: cc-by-4.0\n---\n# Tiny Tango\n\nMade of\nrandom numbers.\n\nMore.']),
      },
      { path: 'my-tango/notes.bin', blob: new Blob(['not read by anyone']) },
    ]);
    expect(halfModel).toMatchObject({
      name: 'Tiny Tango',
      license: 'cc-by-4.0',
      description: 'Made of random numbers.',
      precision: 'float16',
    });
    expect(halfModel.id).toMatch(/^tiny-tango-/);
    expect((await host.models.importFiles(tiny.files)).id, 'the same files are the same model').toBe(
      model.id,
    );
    await host.models.remove(halfModel.id);
    expect(await host.models.list()).toEqual([model]);
  });

  it('are refused whole when anything is wrong, and nothing is kept', async () => {
    const host = await openHost();
    const unet = 'unet/diffusion_pytorch_model.safetensors';
    const cut = replaced(unet, (blob) => blob.slice(0, blob.size - 2));
    await expect(host.models.importFiles(cut)).rejects.toBeInstanceOf(WeightsFormatError);
    const page = replaced(unet, () => new Blob(['<!doctype html><p>Sign in to download</p>']));
    await expect(host.models.importFiles(page)).rejects.toBeInstanceOf(WeightsFormatError);
    const wider = replaced('unet/config.json', () => new Blob(['{"sample_size": 8}']));
    await expect(host.models.importFiles(wider)).rejects.toMatchObject({
      code: expect.stringMatching(/state-dict|invalid-config/),
    });
    const bytes = new Uint8Array(await tiny.files.find(({ path }) => path === unet)!.blob.arrayBuffer());
    const name = new TextDecoder('latin1').decode(bytes).indexOf('"conv_in.weight"');
    bytes.set(new TextEncoder().encode('"conv_on.weight"'), name);
    const renamed = host.models.importFiles(replaced(unet, () => new Blob([bytes])));
    await expect(renamed).rejects.toBeInstanceOf(StateDictError);
    await expect(renamed).rejects.toThrow(/conv_in\.weight[\s\S]*conv_on\.weight/);
    await expect(host.models.importFiles([])).rejects.toBeInstanceOf(InvalidInputError);
    const missing = tiny.files.filter(({ path }) => !path.startsWith('vocoder/'));
    await expect(host.models.importFiles(missing)).rejects.toBeInstanceOf(ModelNotFoundError);
    const notFiles = [{ path: 'a', blob: 'b' }] as unknown as ModelFile[];
    await expect(host.models.importFiles(notFiles)).rejects.toBeInstanceOf(InvalidInputError);

    expect(await host.models.list()).toEqual([]);
    expect((await host.info()).memory.tensorCount).toBe(0);
    const good = await host.models.importFiles(tiny.files);
    expect((await host.models.list()).map(({ id }) => id)).toEqual([good.id]);
  });

  it('that do not exist, or cannot be fetched, are said to be so', async () => {
    const { host, model } = await openTiny();
    const unknown = host.generate({ ...SHORT, modelId: 'tango-9' });
    await expect(unknown).rejects.toBeInstanceOf(ModelNotFoundError);
    await expect(unknown).rejects.toThrow(new RegExp(`no model "tango-9".*There are: ${model.id}`));
    await expect(host.models.remove('tango-9')).rejects.toBeInstanceOf(ModelNotFoundError);
    await expect(host.models.remove('default')).rejects.toBeInstanceOf(InvalidInputError);
    await expect(host.models.use('default')).rejects.toBeInstanceOf(NetworkError);
    // The one in use still is.
    expect((await host.generate(SHORT))[0]?.parameters.modelId).toBe(model.id);
  });
});

describe('the input of EngineHost', () => {
  it.each([
    ['an empty prompt', { prompt: ' ' }, /prompt is empty/],
    ['100,000 characters', { prompt: 'x'.repeat(100_000) }, /100,000 characters/],
    ['too long a sound', { durationSeconds: 60 }, /durationSeconds.*from 1 to 10.24, but 60 came/],
    [
      'latents of another shape',
      { latents: { data: new Float32Array(6), shape: [1, 1, 2, 3] } },
      /\[1, 4, 28, 4\]/,
    ],
  ])('is refused with a message: %s', async (_, fields, message) => {
    const { host } = await openTiny();
    const job = host.generate({ ...SHORT, ...fields });
    await expect(job).rejects.toBeInstanceOf(InvalidInputError);
    await expect(job).rejects.toThrow(message);
  });

  it('may hold emoji, lone surrogates and special tokens', async () => {
    const { host } = await openTiny();
    for (const prompt of ['🐕 woof', 'a \ud800 dog', 'dog </s> <extra_id_0>']) {
      const [sound] = await host.generate({ ...SHORT, prompt });
      expect(sound!.audio.every(Number.isFinite)).toBe(true);
    }
  });

  it('of a stage is checked', async () => {
    const { host } = await openTiny();
    const { stages } = host;
    await expect(stages.encodeText([])).rejects.toBeInstanceOf(InvalidInputError);
    const flat = { data: new Float32Array(4), shape: [4] };
    for (const stage of ['encode', 'decode', 'vocode'] as const) {
      await expect(stages[stage](flat)).rejects.toBeInstanceOf(InvalidInputError);
    }
    await expect(stages.mel({ data: new Float32Array(4), shape: [2, 2] })).rejects.toThrow(/\[samples\]/);
    const wrongWidth = { data: new Float32Array(8), shape: [1, 2, 2, 2] };
    await expect(stages.decode(wrongWidth)).rejects.toMatchObject({ code: 'invalid-input' });
  });
});
