import * as tf from '@tensorflow/tfjs-core';
import { describe, it } from 'vitest';
import { silu } from '../../gpu/kernels';
import { ParameterRoot, type ParameterScope } from '../../nn';
import { expectClose, type Fixture, forEachBackend, loadFixture, randomStateDict } from '../../testing';
import { EncoderStates } from './encoder-states';
import { Downsample2D, Upsample2D } from './resample';
import { ResnetBlock2D } from './resnet-block';
import { Transformer2DModel } from './transformer-2d';

interface LayerCase {
  readonly url: URL;
  readonly build: (params: ParameterScope) => (fixture: Fixture) => tf.Tensor4D;
}

/** A layer has up to 35 M weights to draw, on machines that may be busy. */
const TIMEOUT_MS = 300_000;

/** Single layers at Tango 2's widths. */
const LAYERS: Readonly<Record<string, LayerCase>> = {
  'ResnetBlock2D 320 -> 640': {
    url: new URL('./fixtures/layer-resnet.safetensors', import.meta.url),
    build: (params) => {
      const resnet = new ResnetBlock2D(params, 320, 640, {
        timeEmbedDim: 1280,
        groups: 32,
        eps: 1e-5,
        activation: 'silu',
        timeScaleShift: 'default',
        outputScaleFactor: 1,
      });
      // The model activates the time embedding once for all blocks.
      return (fixture) =>
        resnet.forward(image(fixture, 'input_tensor'), silu(fixture.tensor<tf.Tensor2D>('temb')));
    },
  },
  'Transformer2DModel 1280, 20 heads, prompt of 1024': {
    url: new URL('./fixtures/layer-transformer.safetensors', import.meta.url),
    build: (params) => {
      const transformer = new Transformer2DModel(params, 1280, {
        layers: 1,
        heads: 20,
        crossAttentionDim: 1024,
        onlyCrossAttention: false,
        normNumGroups: 32,
        useLinearProjection: true,
      });
      return (fixture) => {
        const states = fixture.tensor<tf.Tensor3D>('encoder_hidden_states');
        const mask = fixture.tensor('encoder_attention_mask');
        const bias = tf.reshape<tf.Rank.R4>(tf.mul(tf.sub(1, mask), -10_000), [1, 1, 1, -1]);
        const prepared = transformer
          .crossAttentions()
          .map((attn) => [attn, attn.keysAndValues(states)] as const);
        return transformer.forward(
          image(fixture, 'hidden_states'),
          new EncoderStates(1, new Map(prepared), [bias]),
        );
      };
    },
  },
  'Downsample2D 320': {
    url: new URL('./fixtures/layer-downsample.safetensors', import.meta.url),
    build: (params) => {
      const downsample = new Downsample2D(params, 320, 1);
      return (fixture) => downsample.forward(image(fixture, 'hidden_states'));
    },
  },
  'Upsample2D 320 to an odd size': {
    url: new URL('./fixtures/layer-upsample.safetensors', import.meta.url),
    build: (params) => {
      const upsample = new Upsample2D(params, 320);
      return (fixture) => upsample.forward(image(fixture, 'hidden_states'), [5, 4]);
    },
  },
};

/** [B, C, H, W] of the fixture -> [B, H, W, C]. */
function image(fixture: Fixture, name: string): tf.Tensor4D {
  return tf.transpose(fixture.tensor<tf.Tensor4D>(name), [0, 2, 3, 1]);
}

forEachBackend('UNet layers at full width', () => {
  describe.each(Object.entries(LAYERS))('%s', (label, { url, build }) => {
    it.each([
      ['float32', 'F32', 1e-4],
      ['float16', 'F16', 1e-2],
    ] as const)(
      'equals diffusers with %s weights',
      async (_, dtype, relativeToRms) => {
        const fixture = await loadFixture(url);
        const root = new ParameterRoot();
        const forward = build(root.scope);
        await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype));
        const output = tf.tidy(() => tf.transpose(forward(fixture), [0, 3, 1, 2]));
        await expectClose(output, fixture.values('output'), { relativeToRms, label });
        output.dispose();
        root.dispose();
      },
      TIMEOUT_MS,
    );
  });
});
