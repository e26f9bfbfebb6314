import type * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { InvalidConfigError } from '../../common/errors';
import { ParameterRoot } from '../../nn';
import { expectClose, expectNoLeak, forEachBackend, loadFixture, randomStateDict } from '../../testing';
import { Audioldm2ProjectionModel, parseAudioldm2ProjectionConfig } from './projection-model';

const fixture = await loadFixture(new URL('./fixtures/projection.safetensors', import.meta.url));

async function load(dtype: 'F32' | 'F16') {
  const root = new ParameterRoot();
  const config = parseAudioldm2ProjectionConfig(fixture.metadata('config'));
  const model = new Audioldm2ProjectionModel(config, root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype));
  return { root, model };
}

forEachBackend('Audioldm2ProjectionModel', () => {
  it.each([
    ['F32', 1e-4],
    ['F16', 1e-2],
  ] as const)('equals diffusers with %s weights, and leaves nothing behind', async (dtype, relativeToRms) => {
    const { root, model } = await load(dtype);
    const given = (suffix: string) => ({
      states: fixture.tensor<tf.Tensor3D>(`hidden_states${suffix}`),
      mask: fixture.tensor<tf.Tensor2D>(`attention_mask${suffix}`),
    });
    await expectNoLeak(async () => {
      const [first, second] = [given(''), given('_1')];
      const { states, mask } = model.forward(first, second);
      await expectClose(states, fixture.values('output'), { relativeToRms });
      expect([...(await mask.data())]).toEqual([...fixture.values('output_mask').data]);
      for (const tensor of [states, mask, first.states, first.mask, second.states, second.mask])
        tensor.dispose();
    });
    root.dispose();
  });
});

it.each<[string, Record<string, unknown>]>([
  ['text_encoder_dim', { text_encoder_dim: undefined }],
  ['langauge_model_dim', { langauge_model_dim: 0 }],
  ['use_learned_position_embedding', { use_learned_position_embedding: true, max_seq_length: 512 }],
  ['something_new', { something_new: 3 }],
])('refuses %s of %j by name', (field, changes) => {
  const parse = () => parseAudioldm2ProjectionConfig({ ...fixture.metadata<object>('config'), ...changes });
  expect(parse).toThrow(InvalidConfigError);
  expect(parse).toThrow(`"${field}"`);
});
