import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  InvalidConfigError,
  InvalidInputError,
  JobCancelledError,
  ModelNotFoundError,
} from '../../common/errors';
import {
  countedReads,
  expectClose,
  expectNoLeak,
  forEachBackend,
  tinyAudioldm2,
  tinyTango,
} from '../../testing';
import { folderFromFiles } from '../../weights';
import { checkTangoComponents } from './tango-components';
import { type TangoHooks, TangoPipeline } from './tango-pipeline';
import type { TangoRequest } from './tango-request';

const tiny = await tinyAudioldm2();
const requestOf = (name: string): TangoRequest => ({ prompt: tiny.prompt, ...tiny.requests[name]! });
const inBrowser = typeof window !== 'undefined';
/** The software GPU of the browser tests takes seconds for a pass. */
const requests = inBrowser ? ['long'] : Object.keys(tiny.requests);
const TOLERANCE = { relativeToRms: 1e-3 };

const replaced = (path: string, json: unknown) =>
  folderFromFiles([
    ...tiny.files.filter((file) => file.path !== path),
    { path, blob: new Blob([JSON.stringify(json)]) },
  ]);
const jsonOf = async (path: string): Promise<Record<string, unknown>> =>
  JSON.parse(await tiny.files.find((file) => file.path === path)!.blob.text());

forEachBackend('AudioLDM 2', () => {
  let pipeline: TangoPipeline;
  beforeAll(async () => {
    pipeline = await TangoPipeline.load(tiny.folder);
  });
  afterAll(() => pipeline.dispose());

  it.each(requests)('gives the states, latents, mel and sound of AudioLDM2Pipeline: %s', async (name) => {
    const request = requestOf(name);
    const { audio, stages, truncated } = await pipeline.run({ ...request, returnStages: true });
    const expected = (stage: string) => tiny.fixture.values(`${name}/${stage}`);
    await expectClose(stages!.textStates1!, expected('text_states'), { ...TOLERANCE, label: 'T5' });
    expect(stages!.textMask1!.data).toEqual(expected('text_mask').data);
    await expectClose(stages!.textStates, expected('generated_states'), { ...TOLERANCE, label: 'GPT-2' });
    expect(stages!.textMask.data.every((one) => one === 1)).toBe(true);
    const latents = expected('latents');
    const size = latents.data.length / request.steps;
    for (const [step, own] of stages!.latents.entries()) {
      const data = latents.data.slice(step * size, (step + 1) * size);
      await expectClose(own, { data, shape: own.shape }, { ...TOLERANCE, label: `step ${step}` });
    }
    await expectClose(stages!.mel, expected('mel'), { ...TOLERANCE, label: 'mel' });
    const sound = expected('audio');
    await expectClose({ data: audio, shape: sound.shape }, sound, { ...TOLERANCE, label: 'audio' });
    // diffusers cuts a negative prompt to the prompt's tokens.
    expect(truncated).toBe(name === 'long');
  });

  it('gives the same sound for a seed, another one for another', async () => {
    const request = { ...requestOf('guided'), steps: 1 };
    const first = await pipeline.run(request);
    expect((await pipeline.run(request)).audio).toEqual(first.audio);
    expect((await pipeline.run({ ...request, seed: 12 })).audio).not.toEqual(first.audio);
  });

  it('its stages can be asked for one by one', async () => {
    const { states, mask, states1, mask1 } = await pipeline.encodeText(['rain', tiny.prompt]);
    expect(states.shape).toEqual([2, 8, 12]);
    expect(states1!.shape).toEqual([2, 16, 20]);
    // A list of prompts is padded to the longest, the states of each are those of the prompt alone at that length.
    await expectClose(
      { shape: [1, 8, 12], data: states.data.slice(96) },
      { shape: [1, 8, 12], data: tiny.fixture.values('unguided/generated_states').data },
      { relativeToRms: 1e-3 },
    );
    const sample = { data: new Float32Array(2 * 4 * 32 * 4).fill(0.5), shape: [2, 4, 32, 4] };
    const first = { sample, timestep: 501, textStates: states, textMask: mask };
    const input = { ...first, textStates1: states1!, textMask1: mask1! };
    expect((await pipeline.predict(input)).shape).toEqual(sample.shape);
    await expectNoLeak(async () => void (await pipeline.predict(input)));
    await expectNoLeak(async () => {
      await expect(pipeline.predict(first)).rejects.toThrow(InvalidInputError);
    });
  });

  it('leaves nothing behind, finished or cancelled', async () => {
    const request = { ...requestOf('long'), returnStages: true };
    await expectNoLeak(async () => void (await pipeline.run(request, { onPreview: () => {} })));
    await expectNoLeak(async () => {
      const abort = new AbortController();
      const hooks: TangoHooks = {
        signal: abort.signal,
        onStage: (stage) => stage === 'denoise' && abort.abort(),
      };
      await expect(pipeline.run(request, hooks)).rejects.toThrow(JobCancelledError);
    });
  });

  it('its text encoders and its language model leave while the UNet runs, and come back for another prompt', async () => {
    const { folder, reads } = countedReads(tiny.folder);
    const guests = ['text_encoder', 'text_encoder_2', 'projection_model', 'language_model'];
    const short = await TangoPipeline.load(folder, { residentBytes: 0 });
    const loaded = tf.memory().numBytes;
    const guestBytes = short.components
      .filter(({ name }) => guests.includes(name))
      .reduce((sum, { bytes }) => sum + bytes, 0);
    let whileDenoising = Number.POSITIVE_INFINITY;
    const hooks: TangoHooks = {
      onStage: (stage) => {
        if (stage === 'decode') whileDenoising = tf.memory().numBytes;
      },
    };
    const request = { ...requestOf('long'), steps: 1 };
    const counts = () => guests.map(reads);
    const once = counts();
    const first = await short.run(request, hooks);
    expect(whileDenoising).toBeLessThan(loaded - 0.9 * guestBytes);
    expect(first.audio).toEqual((await pipeline.run(request)).audio);
    expect((await short.run(request)).audio).toEqual(first.audio);
    expect(counts()).toEqual(once);
    // The same texts in other places are another prompt.
    const swapped = { ...request, prompt: request.negativePrompt, negativePrompt: request.prompt };
    expect((await short.run(swapped)).audio).toEqual((await pipeline.run(swapped)).audio);
    expect(counts()).toEqual(once.map((count) => 2 * count));
    short.dispose();
  });

  it('says what it is made of', () => {
    expect(pipeline.components.map(({ name, className }) => `${name}: ${className}`)).toEqual([
      'text_encoder: ClapModel',
      'text_encoder_2: T5EncoderModel',
      'projection_model: AudioLDM2ProjectionModel',
      'language_model: GPT2Model',
      'unet: AudioLDM2UNet2DConditionModel',
      'vae: AutoencoderKL',
      'vocoder: SpeechT5HifiGan',
    ]);
    expect(pipeline.conditioning).toBe('two-states');
  });
});

describe('A folder of AudioLDM 2', () => {
  it('fills every parameter, and uses every key but those that are known to be for something else', async () => {
    const shapes = tiny.fixture.metadata<Record<string, Record<string, number[]>>>('state_dicts');
    const unused: string[] = [];
    for (const { component, names } of await checkTangoComponents(tiny.folder)) {
      // The vocoder's weights are of several keys each: hifi-gan's tests count them.
      if (component === 'vocoder') continue;
      const keys = Object.keys(shapes[component]!);
      expect(new Set(names).size).toBe(names.length);
      expect(keys).toEqual(expect.arrayContaining([...names]));
      unused.push(...keys.filter((key) => !names.includes(key)).map((key) => `${component}.${key}`));
    }
    const foreign = unused.filter((key) => !/^text_encoder\.audio_(model|projection)\./.test(key));
    expect(foreign.sort()).toEqual([
      'language_model.wte.weight',
      'text_encoder.logit_scale_a',
      'text_encoder.logit_scale_t',
      // T5's table under its second name.
      'text_encoder_2.encoder.embed_tokens.weight',
    ]);
  });

  it.each<[string, (index: Record<string, unknown>) => object, RegExp]>([
    [
      'a speech model',
      (index) => ({ ...index, text_encoder_2: ['transformers', 'VitsModel'] }),
      /VitsModel, which this studio does not have.*cvssp\/audioldm2-music/,
    ],
    [
      'another language model',
      (index) => ({ ...index, language_model: ['transformers', 'LlamaModel'] }),
      /names LlamaModel as language_model; AudioLDM 2 has GPT2Model or GPT2LMHeadModel/,
    ],
  ])('is refused: %s', async (_, change, message) => {
    const index = await jsonOf('model_index.json');
    const checking = checkTangoComponents(replaced('model_index.json', change(index)));
    await expect(checking).rejects.toBeInstanceOf(InvalidConfigError);
    await expect(checking).rejects.toThrow(message);
  });

  it.each(['tokenizer_2/tokenizer.json', 'language_model/config.json', 'projection_model/config.json'])(
    'is refused without %s',
    async (path) => {
      const checking = checkTangoComponents(folderFromFiles(tiny.files.filter((file) => file.path !== path)));
      await expect(checking).rejects.toBeInstanceOf(ModelNotFoundError);
      await expect(checking).rejects.toThrow(path);
    },
  );

  it.each<[string, string, object, RegExp]>([
    [
      'CLAP of another width',
      'projection_model/config.json',
      { text_encoder_dim: 11 },
      /text_encoder_dim is 11, but CLAP’s projection_dim makes it 10/,
    ],
    [
      'T5 of another width',
      'projection_model/config.json',
      { text_encoder_1_dim: 11 },
      /text_encoder_1_dim is 11/,
    ],
    [
      'a UNet for other states',
      'unet/config.json',
      {
        cross_attention_dim: [
          [null, 12, 20],
          [null, 12, 24],
          [null, 16, 20],
        ],
      },
      /last cross_attention_dim is 24.*makes it 20; the UNet’s first cross_attention_dim is 16.*makes it 12/,
    ],
    [
      'a language model of few positions',
      'language_model/config.json',
      { n_positions: 140 },
      /141 positions.*n_positions is 140/,
    ],
    [
      'another padding',
      'tokenizer/tokenizer_config.json',
      { pad_token: '</s>' },
      /pads with token 1.*pad_token_id is 0/,
    ],
    [
      'a smaller vocabulary',
      'text_encoder_2/config.json',
      { vocab_size: 700 },
      /tokenizer_2 has 800 tokens, but its text encoder knows 700/,
    ],
    [
      'speech’s positions',
      'projection_model/config.json',
      { use_learned_position_embedding: true },
      /use_learned_position_embedding/,
    ],
  ])('whose parts do not fit is refused: %s', async (_, path, fields, message) => {
    const folder = replaced(path, { ...(await jsonOf(path)), ...fields });
    const checking = checkTangoComponents(folder);
    await expect(checking).rejects.toBeInstanceOf(InvalidConfigError);
    await expect(checking).rejects.toThrow(message);
  });

  it('its UNet with one text encoder is refused', async () => {
    const tango = await tinyTango();
    const unet = tiny.files.filter(({ path }) => path.startsWith('unet/'));
    const folder = folderFromFiles([
      ...tango.files.filter(({ path }) => !/^(unet\/|model_index)/.test(path)),
      ...unet,
      { path: 'model_index.json', blob: new Blob(['{}']) },
    ]);
    await expect(checkTangoComponents(folder)).rejects.toThrow(/attends to two states of a prompt/);
  });
});
