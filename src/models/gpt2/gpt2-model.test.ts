import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { InvalidConfigError } from '../../common/errors';
import { ParameterRoot } from '../../nn';
import {
  expectClose,
  expectNoLeak,
  type Fixture,
  forEachBackend,
  loadFixture,
  randomStateDict,
} from '../../testing';
import { renameStateDict, type StateDict } from '../../weights/state-dict';
import { parseGpt2Config } from './config';
import { GPT2_IGNORED_KEYS, Gpt2Model, gpt2StateDict } from './gpt2-model';

const FIXTURES = {
  tiny: new URL('./fixtures/tiny.safetensors', import.meta.url),
  options: new URL('./fixtures/options.safetensors', import.meta.url),
} as const;

function weights(fixture: Fixture, dtype: 'F32' | 'F16' = 'F32'): StateDict {
  return randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype);
}

async function load(
  fixture: Fixture,
  stateDict: StateDict,
): Promise<{ root: ParameterRoot; model: Gpt2Model }> {
  const root = new ParameterRoot();
  const model = new Gpt2Model(parseGpt2Config(fixture.metadata('config')), root.scope);
  await root.load(gpt2StateDict(stateDict), { ignoreUnexpected: GPT2_IGNORED_KEYS });
  return { root, model };
}

function run(fixture: Fixture, model: Gpt2Model): tf.Tensor3D {
  return tf.tidy(() =>
    model.forward(
      fixture.tensor<tf.Tensor3D>('inputs_embeds'),
      fixture.tensor<tf.Tensor2D>('attention_mask'),
    ),
  );
}

forEachBackend('Gpt2Model', () => {
  describe.each(Object.entries(FIXTURES))('%s', (label, url) => {
    it.each([
      ['float32', 'F32', 1e-3],
      ['float16', 'F16', 1e-2],
    ] as const)('equals transformers with %s weights', async (_, dtype, relativeToRms) => {
      const fixture = await loadFixture(url);
      const { root, model } = await load(fixture, weights(fixture, dtype));
      const output = run(fixture, model);
      await expectClose(output, fixture.values('output'), { relativeToRms, label });
      output.dispose();
      root.dispose();
    });
  });

  it('leaves no tensor and no byte behind', async () => {
    const fixture = await loadFixture(FIXTURES.tiny);
    const { root, model } = await load(fixture, weights(fixture));
    await expectNoLeak(() => run(fixture, model).dispose());
    root.dispose();
  });

  it('reads the file of a model with a head, and uses every key once but the table of tokens', async () => {
    const fixture = await loadFixture(FIXTURES.tiny);
    const plain = weights(fixture);
    const withHead = renameStateDict(plain, (name) => `transformer.${name}`);
    const { root, model } = await load(fixture, withHead);
    const output = run(fixture, model);
    await expectClose(output, fixture.values('output'), { relativeToRms: 1e-3 });
    expect([...root.list().map(({ name }) => name), 'wte.weight'].sort()).toEqual([...plain.names()].sort());
    output.dispose();
    root.dispose();
  });

  it('refuses a mask of another shape, and more positions than it has', async () => {
    const fixture = await loadFixture(FIXTURES.tiny);
    const model = new Gpt2Model(parseGpt2Config(fixture.metadata('config')), new ParameterRoot().scope);
    tf.tidy(() => {
      expect(() => model.forward(tf.zeros([2, 4, 24]), tf.ones([2, 5]))).toThrow(
        /attentionMask should be \[2, 4\]/,
      );
      expect(() => model.forward(tf.zeros([1, 65, 24]), tf.ones([1, 65]))).toThrow(/64 positions, but 65/);
    });
  });
});

describe('parseGpt2Config', () => {
  it("takes transformers' defaults, which are GPT-2's own numbers", () => {
    expect(parseGpt2Config({})).toEqual({
      maxPositionEmbeddings: 1024,
      hiddenSize: 768,
      numHiddenLayers: 12,
      numAttentionHeads: 12,
      innerSize: 3072,
      activation: 'gelu_new',
      layerNormEpsilon: 1e-5,
      scaleAttnWeights: true,
      scaleAttnByInverseLayerIdx: false,
    });
  });

  it.each<[string, Record<string, unknown>]>([
    ['model_type', { model_type: 'gptj' }],
    ['n_head', { n_head: 7 }],
    ['activation_function', { activation_function: 'tanh' }],
    ['add_cross_attention', { add_cross_attention: true }],
    ['n_layer', { n_layer: 0 }],
  ])('refuses %s of %j by name', (field, config) => {
    expect(() => parseGpt2Config(config)).toThrow(InvalidConfigError);
    expect(() => parseGpt2Config(config)).toThrow(`"${field}"`);
  });
});
