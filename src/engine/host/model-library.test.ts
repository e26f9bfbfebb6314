import { describe, expect, it } from 'vitest';
import { ModelNotFoundError, StateDictError, StorageError } from '../../common/errors';
import { tangoReleased, tinyAudioldm, tinyAudioldm2, tinyTango } from '../../testing';
import { openComponentStateDict } from '../../weights';
import type { LoadProgress } from '../protocol';
import { MemoryStore, type StoreKey } from './key-value-store';
import { ModelLibrary } from './model-library';
import { ModelStore } from './model-store';
import { summarizeModel } from './model-summary';

const released = await tangoReleased();
const NOWHERE = 'http://127.0.0.1:9/models/';
const noCheck = async (): Promise<void> => {};

class FullStore extends MemoryStore {
  override async set(_key: StoreKey, _value: unknown): Promise<void> {
    throw new StorageError('The browser gives the studio no more storage.');
  }
}

describe('Tango’s published files are imported', () => {
  it('as a diffusers folder, once, with progress to its end', async () => {
    const values = new MemoryStore();
    const library = new ModelLibrary(NOWHERE, new ModelStore(values));
    const seen: LoadProgress[] = [];
    const model = await library.importFiles(released.files, noCheck, { onProgress: (p) => seen.push(p) });
    expect(model).toMatchObject({ source: 'imported', precision: 'float32', sampleRateHz: 16_000 });
    expect(model.bytes).toBe(4 * model.parameterCount);
    expect(seen.at(-1)!.loadedBytes / seen.at(-1)!.totalBytes).toBeGreaterThan(0.9);
    const { folder } = await library.open(model.id);
    expect(folder.list()).toContain('unet/diffusion_pytorch_model.safetensors');
    expect(folder.list().some((path) => path.endsWith('.bin'))).toBe(false);
    const vae = await openComponentStateDict(folder, 'vae');
    expect(vae.entry('encoder.mid_block.attentions.0.to_q.weight')?.shape).toEqual([64, 64]);
    expect((await library.importFiles(released.files, noCheck, {})).id).toBe(model.id);
    expect(await library.list()).toEqual([model]);
  });

  it('with the folder they were downloaded to', async () => {
    const library = new ModelLibrary(NOWHERE, new ModelStore(new MemoryStore()));
    const files = released.files.map(({ path, blob }) => ({ path: `tango2/${path}`, blob }));
    expect((await library.importFiles(files, noCheck, {})).name).toBe('tango2');
  });

  it('not at all when a tensor is missing: the nearest names are said, and nothing is kept', async () => {
    const values = new MemoryStore();
    const library = new ModelLibrary(NOWHERE, new ModelStore(values));
    const { files } = released;
    // Two residual blocks a level: the second ones are not in the file.
    const config = JSON.parse(await files.find(({ path }) => path === 'vae_config.json')!.blob.text());
    config.ddconfig.num_res_blocks = 2;
    const wrong = files.map((file) =>
      file.path === 'vae_config.json' ? { ...file, blob: new Blob([JSON.stringify(config)]) } : file,
    );
    const importing = library.importFiles(wrong, noCheck, {});
    await expect(importing).rejects.toBeInstanceOf(StateDictError);
    await expect(importing).rejects.toThrow(/encoder\.down_blocks\.0\.resnets\.1\.conv1\.weight/);
    expect(await values.keys()).toEqual([]);
  });

  it('cancelled: nothing is kept', async () => {
    const values = new MemoryStore();
    const library = new ModelLibrary(NOWHERE, new ModelStore(values));
    const controller = new AbortController();
    const importing = library.importFiles(released.files, noCheck, {
      signal: controller.signal,
      onProgress: () => controller.abort(),
    });
    await expect(importing).rejects.toThrow();
    expect(await values.keys()).toEqual([]);
  });
});

it('AudioLDM’s diffusers folder is imported, and says what it is made of', async () => {
  const library = new ModelLibrary(NOWHERE, new ModelStore(new MemoryStore()));
  const { files } = await tinyAudioldm();
  const model = await library.importFiles(files, noCheck, {});
  expect(model.components[0]).toMatchObject({
    name: 'text_encoder',
    className: 'ClapTextModelWithProjection',
  });
  const { folder } = await library.open(model.id);
  const text = await openComponentStateDict(folder, 'text_encoder');
  expect(text.names()).toContain('text_projection.linear2.weight');
  expect(text.names()).toContain('text_model.encoder.layer.1.output.LayerNorm.weight');
});

it('AudioLDM 2’s diffusers folder is imported without what no sound comes from, and opened again', async () => {
  const library = new ModelLibrary(NOWHERE, new ModelStore(new MemoryStore()));
  const { files } = await tinyAudioldm2();
  const model = await library.importFiles(files, noCheck, {});
  expect(model.components.map(({ name, className }) => `${name}: ${className}`)).toEqual([
    'text_encoder: ClapModel',
    'text_encoder_2: T5EncoderModel',
    'projection_model: AudioLDM2ProjectionModel',
    'language_model: GPT2Model',
    'unet: AudioLDM2UNet2DConditionModel',
    'vae: AutoencoderKL',
    'vocoder: SpeechT5HifiGan',
  ]);
  expect(model.bytes).toBe(4 * model.parameterCount);
  const { folder, summary } = await library.open(model.id);
  expect(summary).toEqual(model);
  expect(await summarizeModel(folder, model.id, 'imported', 'x')).toMatchObject({
    components: model.components,
  });
  const clap = await openComponentStateDict(folder, 'text_encoder');
  expect(clap.names().filter((name) => name.startsWith('audio_'))).toEqual([]);
  expect((await openComponentStateDict(folder, 'language_model')).names()).not.toContain('wte.weight');
  expect(folder.list()).toEqual(
    expect.arrayContaining(['tokenizer_2/tokenizer.json', 'tokenizer_2/tokenizer_config.json']),
  );
});

describe('when storage is full', () => {
  it('a model is there for this visit, and says so', async () => {
    const library = new ModelLibrary(NOWHERE, new ModelStore(new FullStore()));
    const tiny = await tinyTango();
    const model = await library.importFiles(tiny.files, noCheck, {});
    expect(model.description).toMatch(/this visit only.*no more storage/);
    expect(await library.list()).toEqual([model]);
    const { folder } = await library.open(model.id);
    const unet = await openComponentStateDict(folder, 'unet');
    expect((await unet.read('conv_in.weight')).dtype).toBe('F32');
    await library.remove(model.id);
    await expect(library.open(model.id)).rejects.toBeInstanceOf(ModelNotFoundError);
  });
});
