import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidConfigError, InvalidInputError, StateDictError } from '../../common/errors';
import { ParameterRoot, type ParameterScope } from '../../nn';
import {
  expectClose,
  expectNoLeak,
  type Fixture,
  forEachBackend,
  loadFixture,
  randomStateDict,
} from '../../testing';
import { renameStateDict } from '../../weights';
import { Downsample2D, ResnetBlock2D } from '../unet-2d-condition';
import { MidBlockAttention } from './attention';
import { AutoencoderKL } from './autoencoder-kl';
import { parseAutoencoderKLConfig } from './config';
import { autoencoderKLStateDict } from './key-map';

const MODELS = {
  'tango-tiny': new URL('./fixtures/tango-tiny.safetensors', import.meta.url),
  bare: new URL('./fixtures/bare.safetensors', import.meta.url),
  'odd-sizes': new URL('./fixtures/odd-sizes.safetensors', import.meta.url),
  'one-level': new URL('./fixtures/one-level.safetensors', import.meta.url),
} as const;

interface Loaded {
  readonly fixture: Fixture;
  readonly root: ParameterRoot;
  readonly model: AutoencoderKL;
}

async function load(url: URL, dtype: 'F32' | 'F16' = 'F32'): Promise<Loaded> {
  const fixture = await loadFixture(url);
  const root = new ParameterRoot();
  const model = new AutoencoderKL(parseAutoencoderKLConfig(fixture.metadata('config')), root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype));
  return { fixture, root, model };
}

/** [B, C, T, F] of the fixture -> [B, T, F, C]. */
function image(fixture: Fixture, name: string): tf.Tensor4D {
  return tf.tidy(() => tf.transpose(fixture.tensor<tf.Tensor4D>(name), [0, 2, 3, 1]));
}

async function expectImage(
  actual: tf.Tensor4D,
  fixture: Fixture,
  name: string,
  relativeToRms: number,
): Promise<void> {
  const transposed = tf.tidy(() => tf.transpose(actual, [0, 3, 1, 2]));
  await expectClose(transposed, fixture.values(name), { relativeToRms, label: name });
  transposed.dispose();
}

forEachBackend('AutoencoderKL', () => {
  describe.each(Object.entries(MODELS))('%s', (_, url) => {
    it.each([
      ['float32', 'F32', 1e-3],
      ['float16', 'F16', 1e-2],
    ] as const)('equals diffusers with %s weights', async (_precision, dtype, tolerance) => {
      const { fixture, root, model } = await load(url, dtype);
      const x = image(fixture, 'image');
      const latents = image(fixture, 'latents');
      const { mean, logVariance } = model.encode(x);
      const decoded = model.decode(latents);
      await expectImage(mean, fixture, 'mean', tolerance);
      await expectImage(logVariance, fixture, 'log_variance', tolerance);
      await expectImage(decoded, fixture, 'decoded', tolerance);
      tf.dispose([x, latents, mean, logVariance, decoded]);
      root.dispose();
    });
  });

  describe('tango-tiny', () => {
    let loaded: Loaded;
    beforeAll(async () => {
      loaded = await load(MODELS['tango-tiny']);
      return () => loaded.root.dispose();
    });

    it("decodes with torch's gradient", async () => {
      const { fixture, model } = loaded;
      const latents = image(fixture, 'latents');
      const loss = (x: tf.Tensor): tf.Tensor => tf.mean(tf.square(model.decode(x as tf.Tensor4D)));
      const gradient = tf.tidy(() => tf.grad(loss)(latents) as tf.Tensor4D);
      await expectImage(gradient, fixture, 'latents.grad', 1e-3);
      tf.dispose([latents, gradient]);
    });

    it('leaves no tensor behind', async () => {
      await expectNoLeak(() => {
        const x = image(loaded.fixture, 'image');
        const { mean, logVariance } = loaded.model.encode(x);
        const decoded = loaded.model.decode(mean);
        tf.dispose([x, mean, logVariance, decoded]);
      });
    });

    it('refuses other numbers of channels', () => {
      const wrong = tf.zeros<tf.Rank.R4>([1, 8, 4, 3]);
      expect(() => loaded.model.decode(wrong)).toThrow(InvalidInputError);
      expect(() => loaded.model.decode(wrong)).toThrow('latents should be [B, H, W, 8], got [1, 8, 4, 3]');
      expect(() => loaded.model.encode(wrong)).toThrow('image should be [B, T, F, 1], got [1, 8, 4, 3]');
      wrong.dispose();
    });
  });

  it("loads the attention's old names", async () => {
    const fixture = await loadFixture(MODELS['tango-tiny']);
    const old: Record<string, string> = {
      to_q: 'query',
      to_k: 'key',
      to_v: 'value',
      'to_out.0': 'proj_attn',
    };
    const yesterday = renameStateDict(
      randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')),
      (name) => name.replace(/to_q|to_k|to_v|to_out\.0/, (part) => old[part]!),
    );
    const root = new ParameterRoot();
    const model = new AutoencoderKL(parseAutoencoderKLConfig(fixture.metadata('config')), root.scope);
    await expect(root.load(yesterday)).rejects.toThrow(StateDictError);
    await root.load(autoencoderKLStateDict(yesterday));
    const latents = image(fixture, 'latents');
    const decoded = model.decode(latents);
    await expectImage(decoded, fixture, 'decoded', 1e-3);
    tf.dispose([latents, decoded]);
    root.dispose();
  });
});

interface LayerCase {
  readonly url: URL;
  readonly build: (params: ParameterScope) => { forward(x: tf.Tensor4D): tf.Tensor4D };
}

/** Single layers at the widths of Tango's autoencoder. */
const LAYERS: Readonly<Record<string, LayerCase>> = {
  'attention of 512 channels': {
    url: new URL('./fixtures/layer-attention.safetensors', import.meta.url),
    build: (params) => new MidBlockAttention(params, 512, { groups: 32, eps: 1e-6 }),
  },
  'residual block 512 -> 256': {
    url: new URL('./fixtures/layer-resnet.safetensors', import.meta.url),
    build: (params) =>
      new ResnetBlock2D(params, 512, 256, {
        timeEmbedDim: null,
        groups: 32,
        eps: 1e-6,
        activation: 'silu',
        timeScaleShift: 'default',
        outputScaleFactor: 1,
      }),
  },
  'downsampling with padding at the far ends': {
    url: new URL('./fixtures/layer-downsample.safetensors', import.meta.url),
    build: (params) => new Downsample2D(params, 128, 0),
  },
};

forEachBackend('layers of AutoencoderKL at full width', () => {
  it.each(Object.entries(LAYERS))('%s equals diffusers', async (_, { url, build }) => {
    const fixture = await loadFixture(url);
    const root = new ParameterRoot();
    const layer = build(root.scope);
    await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')));
    const x = image(fixture, 'x');
    const y = tf.tidy(() => layer.forward(x));
    await expectImage(y, fixture, 'y', 1e-4);
    tf.dispose([x, y]);
    root.dispose();
  });
});

describe('parseAutoencoderKLConfig', () => {
  it("fills in diffusers' defaults", () => {
    expect(parseAutoencoderKLConfig({})).toEqual({
      inChannels: 3,
      outChannels: 3,
      latentChannels: 4,
      blockOutChannels: [64],
      layersPerBlock: 1,
      normNumGroups: 32,
      activation: 'silu',
      scalingFactor: 0.18215,
      useQuantConv: true,
      usePostQuantConv: true,
      midBlockAddAttention: true,
    });
  });

  it.each([
    [{ _class_name: 'AutoencoderTiny' }, /"AutoencoderTiny" for "_class_name".*"AutoencoderKL"/],
    [{ down_block_types: ['AttnDownEncoderBlock2D'] }, /"down_block_types".*"DownEncoderBlock2D"/],
    [{ up_block_types: ['UpDecoderBlock2D', 'UpDecoderBlock2D'] }, /"up_block_types".*a list of 1 types/],
    [{ block_out_channels: [48] }, /"block_out_channels".*multiples of norm_num_groups \(32\)/],
    [{ act_fn: 'mish' }, /"mish" for "act_fn".*"silu"/],
    [{ scaling_factor: 0 }, /"scaling_factor".*above 0/],
    [{ shift_factor: 0.06 }, /0.06 for "shift_factor"/],
    [{ latents_mean: [0, 0] }, /"latents_mean"/],
    [{ use_quant_conv: 1 }, /"use_quant_conv".*true or false/],
    [{ spatial_group_norm: true }, /"spatial_group_norm".*does not know/],
    [[], /JSON object/],
  ])('refuses %j', (json, message) => {
    expect(() => parseAutoencoderKLConfig(json)).toThrow(InvalidConfigError);
    expect(() => parseAutoencoderKLConfig(json)).toThrow(message);
  });
});
