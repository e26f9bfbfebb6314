import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
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
import { parseT5Config } from './config';
import { T5EncoderModel, t5EncoderStateDict } from './t5-encoder-model';

const FIXTURES = {
  'flan-tiny': { url: new URL('./fixtures/flan-tiny.safetensors', import.meta.url), float32: 1e-3 },
  'original-tiny': { url: new URL('./fixtures/original-tiny.safetensors', import.meta.url), float32: 1e-3 },
  long: { url: new URL('./fixtures/long.safetensors', import.meta.url), float32: 1e-3 },
  'few-buckets': { url: new URL('./fixtures/few-buckets.safetensors', import.meta.url), float32: 1e-3 },
  'layer-flan-t5-large': {
    url: new URL('./fixtures/layer-flan-t5-large.safetensors', import.meta.url),
    float32: 1e-4,
  },
} as const;

function weights(fixture: Fixture, dtype: 'F32' | 'F16' = 'F32'): StateDict {
  return randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype);
}

async function load(
  fixture: Fixture,
  stateDict: StateDict,
): Promise<{ root: ParameterRoot; model: T5EncoderModel }> {
  const root = new ParameterRoot();
  const model = new T5EncoderModel(parseT5Config(fixture.metadata('config')), root.scope);
  await root.load(stateDict);
  return { root, model };
}

function run(fixture: Fixture, model: T5EncoderModel): tf.Tensor3D {
  return tf.tidy(() =>
    model.forward(fixture.tensor<tf.Tensor2D>('input_ids'), fixture.tensor<tf.Tensor2D>('attention_mask')),
  );
}

forEachBackend('T5EncoderModel', () => {
  describe.each(Object.entries(FIXTURES))('%s', (label, { url, float32 }) => {
    it.each([
      ['float32', 'F32', float32],
      ['float16', 'F16', 1e-2],
    ] as const)('equals transformers with %s weights', async (_, dtype, relativeToRms) => {
      const fixture = await loadFixture(url);
      const { root, model } = await load(fixture, t5EncoderStateDict(weights(fixture, dtype)));
      const output = run(fixture, model);
      await expectClose(output, fixture.values('output'), { relativeToRms, label });
      output.dispose();
      root.dispose();
    });
  });

  it('leaves no tensor and no byte behind', async () => {
    const fixture = await loadFixture(FIXTURES['flan-tiny'].url);
    const { root, model } = await load(fixture, t5EncoderStateDict(weights(fixture)));
    await expectNoLeak(() => run(fixture, model).dispose());
    root.dispose();
  });

  it.each([
    ['shared.weight', 'encoder.embed_tokens.weight'],
    ['encoder.embed_tokens.weight', 'shared.weight'],
  ])('reads the embeddings from %s alone', async (kept, dropped) => {
    const fixture = await loadFixture(FIXTURES['flan-tiny'].url);
    // Both names are drawn in the reference; the table is the last one's, shared.weight.
    const all = weights(fixture);
    const onlyOne = renameStateDict(all, (name) =>
      name === 'shared.weight' ? kept : name === dropped || name === kept ? null : name,
    );
    const { root, model } = await load(fixture, t5EncoderStateDict(onlyOne));
    const output = run(fixture, model);
    await expectClose(output, fixture.values('output'), { relativeToRms: 1e-3 });
    output.dispose();
    root.dispose();
  });

  it('gives the same states for a prompt alone and padded in a batch', async () => {
    const fixture = await loadFixture(FIXTURES['flan-tiny'].url);
    const { root, model } = await load(fixture, t5EncoderStateDict(weights(fixture)));
    const tokens = 4;
    const [alone, padded] = tf.tidy(() => {
      const ids = tf.slice(fixture.tensor<tf.Tensor2D>('input_ids'), [1, 0], [1, tokens]);
      const batch = run(fixture, model);
      return [
        model.forward(ids, tf.ones([1, tokens], 'int32')),
        tf.slice(batch, [1, 0, 0], [1, tokens, batch.shape[2]]),
      ];
    });
    await expectClose(alone!, { shape: padded!.shape, data: await padded!.data() }, { relativeToRms: 1e-5 });
    tf.dispose([alone!, padded!]);
    root.dispose();
  });

  it('refuses a mask of another shape', async () => {
    const fixture = await loadFixture(FIXTURES['few-buckets'].url);
    const model = new T5EncoderModel(parseT5Config(fixture.metadata('config')), new ParameterRoot().scope);
    tf.tidy(() => {
      expect(() => model.forward(tf.zeros([2, 4], 'int32'), tf.ones([2, 5]))).toThrow(
        /attentionMask should be \[2, 4\]/,
      );
    });
  });
});
