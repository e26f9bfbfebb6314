import { describe, expect, it } from 'vitest';
import {
  InvalidConfigError,
  InvalidInputError,
  ModelNotFoundError,
  WeightsFormatError,
} from '../common/errors';
import { readBlob } from '../testing';
import { folderFromFiles, type ModelFolder } from './model-folder';
import { openComponentStateDict } from './open-component';

/** A safetensors file with one float32 each of these names; the value is its position. */
function shard(...names: readonly string[]): Blob {
  const entries = names.map((name, i) => [
    name,
    { dtype: 'F32', shape: [1], data_offsets: [4 * i, 4 * i + 4] },
  ]);
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const length = new BigUint64Array([BigInt(header.byteLength)]);
  return new Blob([length, header, Float32Array.from(names, (_, i) => i)]);
}

/** With a file at the top, so that "unet" is not a folder common to all, which would be dropped. */
function folder(files: Readonly<Record<string, Blob | string>>): ModelFolder {
  return folderFromFiles(
    Object.entries({ 'model_index.json': '{}', ...files }).map(([path, content]) => ({
      path,
      blob: new Blob([content]),
    })),
  );
}

const torchFile = await readBlob(new URL('./formats/fixtures/torch-module.bin', import.meta.url));

const index = (map: Readonly<Record<string, unknown>>): string =>
  JSON.stringify({ metadata: {}, weight_map: map });

describe('the weights of a component are found under every name that the libraries write', () => {
  it.each([
    'unet/diffusion_pytorch_model.safetensors',
    'unet/model.safetensors',
    'unet/diffusion_pytorch_model.fp16.safetensors',
    'unet/model.fp16.safetensors',
  ])('%s', async (path) => {
    const stateDict = await openComponentStateDict(
      folder({ [path]: shard('a'), 'unet/config.json': '{}' }),
      'unet',
    );
    expect(stateDict.names()).toEqual(['a']);
  });

  it.each([
    'unet/diffusion_pytorch_model.bin',
    'text_encoder/pytorch_model.bin',
    'text_encoder/pytorch_model.fp16.bin',
  ])('%s, of torch.save', async (path) => {
    const stateDict = await openComponentStateDict(folder({ [path]: torchFile }), path.split('/')[0]!);
    expect(stateDict.entry('0.weight')?.shape).toEqual([3, 2, 3]);
  });

  it('shards of torch.save', async () => {
    const files = folder({
      'unet/diffusion_pytorch_model.bin.index.json': index({ '0.weight': 'a.bin', '1.bias': 'a.bin' }),
      'unet/a.bin': torchFile,
    });
    expect((await openComponentStateDict(files, 'unet')).names()).toEqual(['0.weight', '1.bias']);
  });

  it('float32 is taken where both are there', async () => {
    const both = folder({
      'vae/diffusion_pytorch_model.fp16.safetensors': shard('half'),
      'vae/diffusion_pytorch_model.safetensors': shard('full'),
    });
    expect((await openComponentStateDict(both, 'vae')).names()).toEqual(['full']);
  });

  it('a component at the top of the folder', async () => {
    const stateDict = await openComponentStateDict(folder({ 'model.safetensors': shard('a') }), '');
    expect(stateDict.names()).toEqual(['a']);
  });

  it('a missing one says which names were tried and what is there', async () => {
    const opening = openComponentStateDict(folder({ 'unet/config.json': '{}', 'vae/a.bin': '' }), 'unet');
    await expect(opening).rejects.toThrow(ModelNotFoundError);
    await expect(opening).rejects.toThrow(
      /unet\/diffusion_pytorch_model\.safetensors.*the folder has unet\/config\.json.*safe_serialization/,
    );
  });
});

describe('shards', () => {
  it.each([
    'unet/diffusion_pytorch_model.safetensors.index.json',
    'unet/diffusion_pytorch_model.safetensors.index.fp16.json',
    'unet/model.fp16.safetensors.index.json',
  ])('%s: one state dict over all files', async (path) => {
    const stateDict = await openComponentStateDict(
      folder({
        [path]: index({ a: 's-1.safetensors', b: 's-2.safetensors', c: 's-1.safetensors' }),
        'unet/s-1.safetensors': shard('a', 'c'),
        'unet/s-2.safetensors': shard('b'),
      }),
      'unet',
    );
    expect(stateDict.names()).toEqual(['a', 'b', 'c']);
    expect(stateDict.entry('b')).toMatchObject({ dtype: 'F32', shape: [1], byteLength: 4 });
    const { bytes } = await stateDict.read('c');
    expect(new Float32Array(bytes.slice().buffer)).toEqual(Float32Array.of(1));
    await expect(stateDict.read('d')).rejects.toThrow('Expected a tensor named "d"');
  });

  const refused: readonly [
    string,
    string,
    Readonly<Record<string, Blob | string>>,
    new (...args: never[]) => Error,
    RegExp,
  ][] = [
    [
      'a shard that is not there',
      index({ a: 's.safetensors' }),
      {},
      ModelNotFoundError,
      /"unet\/s\.safetensors"/,
    ],
    [
      'a tensor that its shard lacks',
      index({ a: 's.safetensors', b: 's.safetensors' }),
      { 'unet/s.safetensors': shard('a') },
      WeightsFormatError,
      /"b" in the shard "s\.safetensors"/,
    ],
    [
      'a damaged shard',
      index({ a: 's.safetensors' }),
      { 'unet/s.safetensors': 'nothing' },
      WeightsFormatError,
      /unet\/s\.safetensors/,
    ],
    [
      'a shard outside the folder',
      index({ a: '../s.safetensors' }),
      {},
      WeightsFormatError,
      /beside the index, got "\.\.\/s\.safetensors"/,
    ],
    ['a shard that is no name', index({ a: 3 }), {}, WeightsFormatError, /got 3/],
    ['no weight map', '{}', {}, WeightsFormatError, /expected a "weight_map"/],
    ['an index that is not JSON', '<html>', {}, InvalidConfigError, /got "<html>"/],
  ];
  it.each(refused)('%s is refused', async (_, indexText, files, errorClass, message) => {
    const opening = openComponentStateDict(
      folder({ 'unet/model.safetensors.index.json': indexText, 'unet/config.json': '{}', ...files }),
      'unet',
    );
    await expect(opening).rejects.toThrow(errorClass);
    await expect(opening).rejects.toThrow(message);
  });
});

describe('a model folder', () => {
  it('loses the leading folder that all paths share, whatever the separator', () => {
    const files = ['my-model/model_index.json', 'my-model\\unet\\config.json'].map((path) => ({
      path,
      blob: new Blob(),
    }));
    expect(folderFromFiles(files).list()).toEqual(['model_index.json', 'unet/config.json']);
  });

  it('keeps paths that share no folder', () => {
    expect(folder({ 'model_index.json': '{}', 'unet/config.json': '{}' }).has('unet/config.json')).toBe(true);
    expect(folder({ './a.json': '{}' }).list()).toEqual(['model_index.json', 'a.json']);
  });

  it('without files, or with one path twice, is refused', () => {
    expect(() => folderFromFiles([])).toThrow(InvalidInputError);
    const file = { path: 'a/b', blob: new Blob() };
    expect(() => folderFromFiles([file, file])).toThrow('"b" twice');
  });

  it('gives JSON, and says which file is not', async () => {
    const files = folder({ 'a.json': '{"x": 1}', 'b.json': '{', 'c.json': '' });
    expect(await files.json('a.json')).toEqual({ x: 1 });
    await expect(files.json('b.json')).rejects.toThrow('Expected JSON in "b.json", got "{"');
    await expect(files.json('c.json')).rejects.toThrow(InvalidConfigError);
    await expect(files.blob('d.json')).rejects.toThrow(ModelNotFoundError);
  });
});
