import { beforeAll, describe, expect, it } from 'vitest';
import { audioldmVaeName } from '../../models/autoencoder-kl/audioldm-key-map';
import { expectClose, forEachBackend, readBlob, tangoReleased } from '../../testing';
import {
  folderFromFiles,
  type ModelFolder,
  openTorchCheckpoint,
  renameStateDict,
  type StateDict,
} from '../../weights';
import { checkTangoComponents } from '../pipelines/tango-components';
import { TangoPipeline } from '../pipelines/tango-pipeline';
import { openTangoReleased } from './tango-released';

const released = await tangoReleased();

async function opened(files: readonly { path: string; blob: Blob }[] = released.files): Promise<ModelFolder> {
  const folder = await openTangoReleased(folderFromFiles(files));
  if (!folder) throw new Error('The files were not recognised.');
  return folder;
}

const without = (name: string) => released.files.filter(({ path }) => path !== name);
const withJson = (name: string, json: unknown) => [
  ...without(name),
  { path: name, blob: new Blob([JSON.stringify(json)]) },
];

forEachBackend('Tango’s published files', () => {
  let folder: ModelFolder;
  beforeAll(async () => {
    folder = await opened();
  });

  it('give PyTorch’s states, latents, mel and waveform', async () => {
    const pipeline = await TangoPipeline.load(folder);
    const { stages } = await pipeline.run({ ...released.request, returnStages: true });
    pipeline.dispose();
    const expected = (stage: string) => released.fixture.values(stage);
    const tolerance = { relativeToRms: 1e-3 };
    await expectClose(stages!.textStates, expected('text_states'), { ...tolerance, label: 'text states' });
    await expectClose(stages!.mel, expected('mel'), { ...tolerance, label: 'mel' });
    await expectClose(stages!.waveform, expected('waveform'), { ...tolerance, label: 'waveform' });
  });
});

describe('the key maps of Tango’s published files', () => {
  it('use every key exactly once, for the parameter that diffusers and transformers use it for', async () => {
    const url = new URL('../../testing/fixtures/tango-released/diffusers.json', import.meta.url);
    const described = JSON.parse(await (await readBlob(url)).text()) as Record<
      string,
      { tensors: Record<string, [file: string, key: string, shape: number[]]> }
    >;
    const sources = new Map<string, StateDict>();
    for (const path of ['pytorch_model_main.bin', 'pytorch_model_vae.bin']) {
      const { blob } = released.files.find((file) => file.path === path)!;
      sources.set(path, await openTorchCheckpoint(blob, path));
    }
    let used = 0;
    for (const { component, stateDict, names } of await checkTangoComponents(await opened())) {
      const { tensors } = described[component]!;
      // T5's embedding is there under two names.
      if (component === 'text_encoder') {
        expect(tensors['encoder.embed_tokens.weight']).toEqual(tensors['shared.weight']);
        delete tensors['encoder.embed_tokens.weight'];
        used += 1;
      }
      expect([...names].sort()).toEqual(Object.keys(tensors).sort());
      expect([...stateDict.names()].sort()).toEqual([...names].sort());
      for (const [name, [file, key, shape]] of Object.entries(tensors)) {
        const raw = await stateDict.read(name);
        expect(raw.shape, name).toEqual(shape);
        expect(raw.bytes, name).toEqual((await sources.get(file)!.read(key)).bytes);
        used += 1;
      }
    }
    expect(used).toBe([...sources.values()].reduce((sum, source) => sum + source.names().length, 0));
  });

  it('a missing key is named with the nearest ones that are there', async () => {
    const main = released.files.find(({ path }) => path === 'pytorch_model_main.bin')!;
    const stateDict = renameStateDict(await openTorchCheckpoint(main.blob, 'main'), (name) =>
      name === 'unet.mid_block.resnets.0.conv1.weight'
        ? 'unet.mid_block.resnets.0.convolution1.weight'
        : name,
    );
    const folder = await opened();
    const unet = renameStateDict(stateDict, (name) => (name.startsWith('unet.') ? name.slice(5) : null));
    const given: ModelFolder = {
      ...folder,
      stateDict: async (component) => (component === 'unet' ? unet : folder.stateDict!(component)),
    };
    await expect(checkTangoComponents(given)).rejects.toThrow(
      /missing: "mid_block\.resnets\.0\.conv1\.weight" \[\d+, \d+, 3, 3\] \(nearest: "mid_block\.resnets\.0\.convolution1\.weight"/,
    );
  });
});

describe('the key map of AudioLDM’s autoencoder', () => {
  it('uses every key of the file exactly once', async () => {
    const vae = await openTorchCheckpoint(
      released.files.find(({ path }) => path === 'pytorch_model_vae.bin')!.blob,
      'vae',
    );
    const names = vae.names().filter((name) => !name.startsWith('vocoder.'));
    const renamed = names.map((name) => audioldmVaeName(name, 3));
    expect(names.length).toBeGreaterThan(80);
    expect(renamed).not.toContain(null);
    expect(new Set(renamed).size).toBe(names.length);
  });

  it('counts the decoder’s levels from the other end', () => {
    expect(audioldmVaeName('decoder.up.0.block.2.nin_shortcut.weight', 3)).toBe(
      'decoder.up_blocks.2.resnets.2.conv_shortcut.weight',
    );
    expect(audioldmVaeName('decoder.up.2.upsample.conv.bias', 3)).toBe(
      'decoder.up_blocks.0.upsamplers.0.conv.bias',
    );
    expect(audioldmVaeName('encoder.down.1.block.0.norm1.weight', 3)).toBe(
      'encoder.down_blocks.1.resnets.0.norm1.weight',
    );
    expect(audioldmVaeName('encoder.down.1.attn.0.q.weight', 3)).toBeNull();
    expect(audioldmVaeName('loss.logvar', 3)).toBeNull();
  });
});

describe('what is missing or foreign among Tango’s published files is said', () => {
  it.each([
    ['pytorch_model_vae.bin', /pytorch_model_vae\.bin is not among them/],
    ['vae_config.json', /vae_config\.json is not among them/],
    ['tokenizer.json', /tokenizer\.json.*google\/flan-t5-large|google\/flan-t5-large.*tokenizer\.json/],
  ])('without %s', async (name, message) => {
    await expect(opened(without(name))).rejects.toThrow(message);
  });

  it.each<[string, string, unknown, RegExp]>([
    ['another scheduler', 'main_config.json', { scheduler_name: 'x/y' }, /"x\/y" for "scheduler_name"/],
    ['another text encoder', 'main_config.json', { text_encoder_name: 'clip' }, /"text_encoder_name".*T5/],
    ['another hop', 'stft_config.json', { hop_length: 256 }, /256 for "hop_length".*160 samples/],
    ['no ddconfig', 'vae_config.json', { scale_factor: 1 }, /ddconfig of vae_config\.json/],
  ])('%s', async (_, name, json, message) => {
    await expect(opened(withJson(name, json))).rejects.toThrow(message);
  });

  it('the published UNet’s sizes are expected where its config is not given', async () => {
    const folder = await opened(without('diffusion_model_config.json'));
    expect(await folder.json('unet/config.json')).toMatchObject({
      block_out_channels: [320, 640, 1280, 1280],
    });
    await expect(TangoPipeline.load(folder)).rejects.toThrow(/cross_attention_dim is 1024|conv_in\.weight/);
  });

  it('other layouts are left to others', async () => {
    const blob = new Blob(['{}']);
    expect(await openTangoReleased(folderFromFiles([{ path: 'model_index.json', blob }]))).toBeNull();
    expect(await openTangoReleased(folderFromFiles([{ path: 'a.json', blob }]))).toBeNull();
  });
});
