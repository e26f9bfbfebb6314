import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { ParameterRoot } from '../../nn';
import {
  expectClose,
  expectNoLeak,
  type Fixture,
  forEachBackend,
  loadFixture,
  randomStateDict,
} from '../../testing';
import { parseUNet2DConditionConfig } from './config';
import type { EncoderStates } from './encoder-states';
import { UNet2DConditionModel } from './unet-2d-condition-model';

const FIXTURES = {
  'tango2-tiny': new URL('./fixtures/tango2-tiny.safetensors', import.meta.url),
  'tango2-tiny-odd': new URL('./fixtures/tango2-tiny-odd.safetensors', import.meta.url),
  'stable-diffusion-1-tiny': new URL('./fixtures/stable-diffusion-1-tiny.safetensors', import.meta.url),
  options: new URL('./fixtures/options.safetensors', import.meta.url),
  'audioldm-tiny': new URL('./fixtures/audioldm-tiny.safetensors', import.meta.url),
  'class-timestep': new URL('./fixtures/class-timestep.safetensors', import.meta.url),
  'class-projection': new URL('./fixtures/class-projection.safetensors', import.meta.url),
  'class-identity': new URL('./fixtures/class-identity.safetensors', import.meta.url),
  'class-embedding': new URL('./fixtures/class-embedding.safetensors', import.meta.url),
  'audioldm2-tiny': new URL('./fixtures/audioldm2-tiny.safetensors', import.meta.url),
  'audioldm2-deep-tiny': new URL('./fixtures/audioldm2-deep-tiny.safetensors', import.meta.url),
  'default-tiny': new URL('./fixtures/default-tiny.safetensors', import.meta.url),
} as const;

interface Loaded {
  readonly fixture: Fixture;
  readonly root: ParameterRoot;
  readonly model: UNet2DConditionModel;
}

async function load(url: URL, dtype: 'F32' | 'F16' = 'F32'): Promise<Loaded> {
  const fixture = await loadFixture(url);
  const root = new ParameterRoot();
  const model = new UNet2DConditionModel(parseUNet2DConditionConfig(fixture.metadata('config')), root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype));
  return { fixture, root, model };
}

/** [B, C, H, W] of the fixture -> [B, H, W, C]. */
function image(fixture: Fixture, name: string): tf.Tensor4D {
  return tf.tidy(() => tf.transpose(fixture.tensor<tf.Tensor4D>(name), [0, 2, 3, 1]));
}

function prompt(model: UNet2DConditionModel, fixture: Fixture): EncoderStates | null {
  if (!fixture.names.includes('encoder_hidden_states')) return null;
  const tensor = <T extends tf.Tensor>(name: string): T | undefined =>
    fixture.names.includes(name) ? fixture.tensor<T>(name) : undefined;
  const states = fixture.tensor<tf.Tensor3D>('encoder_hidden_states');
  const mask = tensor<tf.Tensor2D>('encoder_attention_mask');
  const states1 = tensor<tf.Tensor3D>('encoder_hidden_states_1');
  const mask1 = tensor<tf.Tensor2D>('encoder_attention_mask_1');
  const second = states1 && { states: states1, mask: mask1 };
  const encoder = model.prepareEncoderStates(states, mask, model.crossAttentions(), second);
  tf.dispose([states, mask ?? [], states1 ?? [], mask1 ?? []]);
  return encoder;
}

/** Runs the model on the fixture's inputs; the output in PyTorch's order. */
function run({ fixture, model }: Loaded, encoder: EncoderStates | null): tf.Tensor4D {
  return tf.tidy(() => {
    const classLabels = fixture.names.includes('class_labels') ? fixture.tensor('class_labels') : null;
    const output = model.forward(
      image(fixture, 'sample'),
      fixture.metadata('timesteps'),
      encoder,
      classLabels ? { classLabels } : {},
    );
    return tf.transpose(output, [0, 3, 1, 2]);
  });
}

forEachBackend('UNet2DConditionModel', () => {
  describe.each(Object.entries(FIXTURES))('%s', (name, url) => {
    it.each([
      ['float32', 'F32', 1e-3],
      ['float16', 'F16', 1e-2],
    ] as const)('equals diffusers with %s weights', async (_, dtype, relativeToRms) => {
      const loaded = await load(url, dtype);
      const encoder = prompt(loaded.model, loaded.fixture);
      const output = run(loaded, encoder);
      await expectClose(output, loaded.fixture.values('output'), { relativeToRms, label: name });
      output.dispose();
      encoder?.dispose();
      loaded.root.dispose();
    });
  });

  it('leaves no tensor and no byte behind', async () => {
    const loaded = await load(FIXTURES.options);
    await expectNoLeak(() => {
      const encoder = prompt(loaded.model, loaded.fixture);
      run(loaded, encoder).dispose();
      encoder?.dispose();
    });
    loaded.root.dispose();
  });

  it('gives all its memory back when its parameters are disposed', async () => {
    await expectNoLeak(async () => {
      const loaded = await load(FIXTURES['class-projection']);
      const encoder = prompt(loaded.model, loaded.fixture);
      run(loaded, encoder).dispose();
      encoder?.dispose();
      loaded.root.dispose();
    });
  });

  it.each(['tango2-tiny', 'audioldm2-tiny'] as const)(
    'names its linear layers and convolutions as the checkpoint does: %s',
    async (name) => {
      const fixture = await loadFixture(FIXTURES[name]);
      const root = new ParameterRoot();
      const model = new UNet2DConditionModel(
        parseUNet2DConditionConfig(fixture.metadata('config')),
        root.scope,
      );
      const shapes = fixture.metadata<Record<string, readonly number[]>>('state_dict');
      const expected = Object.keys(shapes).filter(
        (name) => name.endsWith('.weight') && shapes[name]!.length >= 2,
      );
      expect([...model.adaptableLayers().keys()].map((path) => `${path}.weight`).sort()).toEqual(
        expected.sort(),
      );
      expect(
        model.adaptableLayers().get('mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0'),
      ).toBeDefined();
    },
  );

  it('of AudioLDM 2 leaves no tensor behind, and needs both states of its prompt', async () => {
    const loaded = await load(FIXTURES['audioldm2-tiny']);
    const { model, fixture } = loaded;
    await expectNoLeak(() => {
      const encoder = prompt(model, fixture);
      run(loaded, encoder).dispose();
      encoder?.dispose();
    });
    tf.tidy(() => {
      const states = tf.zeros<tf.Rank.R3>([2, 8, 12]);
      const given = (second: tf.Tensor3D, mask?: tf.Tensor2D) => () =>
        model.prepareEncoderStates(states, undefined, model.crossAttentions(), { states: second, mask });
      expect(() => model.prepareEncoderStates(states)).toThrow(/attends to two states.*Give both/);
      expect(given(tf.zeros([2, 5, 12]))).toThrow(/encoderHiddenStates1 should be \[B, S, 20\]/);
      expect(given(tf.zeros([1, 5, 20]))).toThrow(/encoderHiddenStates1 should be \[2, S, D\]/);
      expect(given(tf.zeros([2, 5, 20]), tf.ones([2, 4]))).toThrow(
        /encoderAttentionMask1 should be \[2, 5\]/,
      );
      expect(() => model.forward(tf.zeros([2, 12, 4, 4]), [1], null)).toThrow(/attends to a prompt/);
    });
    loaded.root.dispose();
  });

  describe('the prompt, prepared once', () => {
    let loaded: Loaded;
    beforeAll(async () => {
      loaded = await load(FIXTURES.options);
    });

    it('is not projected again in a pass', async () => {
      const { fixture, model, root } = await load(FIXTURES.options);
      const encoder = prompt(model, fixture);
      // With only_cross_attention, attn1 looks at the prompt as well.
      const projections = root.list().filter(({ name }) => /to_[kv]\.weight$/.test(name));
      expect(projections).toHaveLength(2 * model.crossAttentions().length);
      // A pass that touched a disposed weight would throw.
      for (const parameter of projections) parameter.dispose();
      const output = run({ fixture, model, root }, encoder);
      await expectClose(output, fixture.values('output'), { relativeToRms: 1e-3 });
      output.dispose();
      encoder?.dispose();
      root.dispose();
    });

    it('serves any number of passes', async () => {
      const encoder = prompt(loaded.model, loaded.fixture);
      run(loaded, encoder).dispose();
      const second = run(loaded, encoder);
      await expectClose(second, loaded.fixture.values('output'), { relativeToRms: 1e-3 });
      second.dispose();
      encoder?.dispose();
    });

    it('refuses states of another width, a mask of another length, another batch', () => {
      const { model } = loaded;
      tf.tidy(() => {
        expect(() => model.prepareEncoderStates(tf.zeros([2, 7, 13]))).toThrow(
          /encoderHiddenStates should be \[B, S, 12\]/,
        );
        expect(() => model.prepareEncoderStates(tf.zeros([2, 7, 12]), tf.ones([2, 6]))).toThrow(
          /encoderAttentionMask should be \[2, 7\]/,
        );
        const encoder = model.prepareEncoderStates(tf.zeros([2, 7, 12]));
        expect(() => model.forward(tf.zeros([2, 6, 4, 3]), [1], null)).toThrow(/attends to a prompt/);
        expect(() => model.forward(tf.zeros([1, 6, 4, 3]), [1], encoder)).toThrow(
          /batch of 2, the sample has 1/,
        );
        expect(() => model.forward(tf.zeros([2, 6, 4, 3]), [1, 2, 3], encoder)).toThrow(/3 timesteps/);
        expect(() => model.forward(tf.zeros([2, 6, 4, 4]), [1], encoder)).toThrow(/sample should be/);
        expect(() =>
          model.forward(tf.zeros([2, 6, 4, 3]), [1], encoder, { classLabels: tf.ones([2, 3]) }),
        ).toThrow(/no class embedding/);
      });
    });
  });
});
