import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  InvalidConfigError,
  JobCancelledError,
  ModelNotFoundError,
  OutOfMemoryError,
  StateDictError,
  WeightsFormatError,
} from '../../common/errors';
import { startBackend, tinyTango } from '../../testing';
import { folderFromFiles } from '../../weights';
import { type LoadProgress, loadTangoComponents } from './tango-components';
import { TangoPipeline } from './tango-pipeline';

const { files } = await tinyTango();
type File = (typeof files)[number];

const json = (value: unknown): Blob => new Blob([JSON.stringify(value)]);
const without = (...paths: string[]): File[] => files.filter(({ path }) => !paths.includes(path));
const withFile = (path: string, blob: Blob): File[] => [...without(path), { path, blob }];
const fileOf = (path: string): Blob => files.find((file) => file.path === path)!.blob;

async function withField(path: string, fields: object): Promise<File[]> {
  return withFile(path, json({ ...JSON.parse(await fileOf(path).text()), ...fields }));
}

/** The file with the text of its safetensors header changed. */
async function withHeader(
  path: string,
  change: (header: Record<string, { shape: number[] }>) => object,
): Promise<File[]> {
  const bytes = new Uint8Array(await fileOf(path).arrayBuffer());
  const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
  const text = new TextEncoder().encode(JSON.stringify(change(header)));
  return withFile(
    path,
    new Blob([new BigUint64Array([BigInt(text.length)]), text, bytes.subarray(8 + length)]),
  );
}

const UNET = 'unet/diffusion_pytorch_model.safetensors';

describe('loading a model folder', () => {
  beforeAll(() => startBackend('wasm'));

  it('reports progress up to the last byte, and every component', async () => {
    const progress: LoadProgress[] = [];
    const pipeline = await TangoPipeline.load(folderFromFiles(files), {
      onProgress: (p) => progress.push(p),
    });
    expect(new Set(progress.map(({ label }) => label))).toEqual(
      new Set(['text encoder', 'UNet', 'autoencoder', 'vocoder']),
    );
    expect(
      progress.every(({ loadedBytes }, i) => i === 0 || loadedBytes >= progress[i - 1]!.loadedBytes),
    ).toBe(true);
    expect(progress.at(-1)!.loadedBytes).toBe(progress.at(-1)!.totalBytes);
    expect(pipeline.components.map(({ name, parameterCount }) => [name, parameterCount])).toEqual([
      ['text_encoder', 33_296 - 900 * 16],
      ['unet', 95_972],
      ['vae', 48_189],
      ['vocoder', 5849 - 32],
    ]);
    expect(pipeline.sampleRateHz).toBe(1600);
    pipeline.dispose();
  });

  it.each<[string, () => File[] | Promise<File[]>, new (message: string) => Error, RegExp]>([
    ['no model_index.json', () => without('model_index.json'), ModelNotFoundError, /model_index\.json/],
    [
      'Tango’s published files',
      () => [{ path: 'pytorch_model_main.bin', blob: json(0) }],
      ModelNotFoundError,
      /a part of Tango’s published files.*tokenizer\.json/,
    ],
    [
      'several files missing, all named',
      () => without('unet/config.json', 'tokenizer/tokenizer.json'),
      ModelNotFoundError,
      /tokenizer\/tokenizer\.json, unet\/config\.json/,
    ],
    ['no weights', () => without(UNET), ModelNotFoundError, /unet/],
    [
      'another kind of pipeline',
      () => withFile('model_index.json', json({ text_encoder: ['transformers', 'CLIPTextModel'] })),
      InvalidConfigError,
      /CLIPTextModel/,
    ],
    [
      'a broken index',
      () => withFile('model_index.json', new Blob(['{'])),
      InvalidConfigError,
      /model_index\.json/,
    ],
    ['an index that is no object', () => withFile('model_index.json', json(3)), InvalidConfigError, /object/],
    [
      'a UNet for another text encoder',
      () => withField('unet/config.json', { cross_attention_dim: 32 }),
      InvalidConfigError,
      /cross_attention_dim is 32, but the text encoder’s width makes it 16/,
    ],
    [
      'a tokenizer with more tokens than the text encoder',
      () => withField('text_encoder/config.json', { vocab_size: 100 }),
      InvalidConfigError,
      /tokenizer has 900 tokens/,
    ],
    [
      'more parameters than WebAssembly can hold',
      () => withField('text_encoder/config.json', { d_ff: 1_000_000, num_layers: 20 }),
      OutOfMemoryError,
      /96\d million parameters.*WebGPU/,
    ],
    [
      'a scheduler of another process',
      () => withField('scheduler/scheduler_config.json', { _class_name: 'FlowMatchEulerDiscreteScheduler' }),
      InvalidConfigError,
      /FlowMatchEulerDiscreteScheduler/,
    ],
    [
      'a transposed tensor',
      () =>
        withHeader(UNET, (header) => {
          header['time_embedding.linear_1.weight']!.shape.reverse();
          return header;
        }),
      StateDictError,
      /time_embedding\.linear_1\.weight/,
    ],
    [
      'a renamed tensor',
      () =>
        withHeader(UNET, ({ 'conv_in.weight': weight, ...rest }) => ({ ...rest, 'conv_inn.weight': weight })),
      StateDictError,
      /conv_in\.weight/,
    ],
    [
      'a file cut short',
      () => withFile(UNET, fileOf(UNET).slice(0, fileOf(UNET).size - 2)),
      WeightsFormatError,
      /diffusion_pytorch_model/,
    ],
  ])('%s: says what and leaves nothing behind', async (_name, change, errorClass, message) => {
    const folder = folderFromFiles(await change());
    const before = tf.memory().numTensors;
    const load = loadTangoComponents(folder);
    await expect(load).rejects.toBeInstanceOf(errorClass);
    await expect(load).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  it('stops when cancelled, and leaves nothing behind', async () => {
    const before = tf.memory().numTensors;
    const abort = new AbortController();
    const load = loadTangoComponents(folderFromFiles(files), {
      signal: abort.signal,
      onProgress: ({ label }) => label === 'UNet' && abort.abort(),
    });
    await expect(load).rejects.toBeInstanceOf(JobCancelledError);
    expect(tf.memory().numTensors).toBe(before);
  });
});
