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
import { type StateDict, stateDictFromTensors } from '../../weights';
import { ClapAudioStage } from './audio-stage';
import { ClapModel } from './clap-model';
import { parseClapConfig } from './config';
import { CLAP_IGNORED_KEYS } from './key-map';
import { ClapTextModel } from './text-model';

const TINY = new URL('./fixtures/tiny.safetensors', import.meta.url);
const MODELS = { tiny: TINY, 'one-window': new URL('./fixtures/one-window.safetensors', import.meta.url) };
const STAGE = new URL('./fixtures/stage-htsat-tiny.safetensors', import.meta.url);
const TEXT_LAYER = new URL('./fixtures/layer-roberta-base.safetensors', import.meta.url);

/** The drawn weights, and the running statistics that the fixture holds. */
function weights(fixture: Fixture, dtype: 'F32' | 'F16'): StateDict {
  const drawn = randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype);
  const statistics = stateDictFromTensors(
    fixture.names
      .filter((name) => /running_(mean|var)$/.test(name))
      .map((name) => {
        const { data, shape } = fixture.values(name);
        return { name, dtype: 'F32' as const, shape, bytes: new Uint8Array(Float32Array.from(data).buffer) };
      }),
  );
  return {
    names: () => [...drawn.names(), ...statistics.names()],
    entry: (name) => drawn.entry(name) ?? statistics.entry(name),
    read: (name) => (drawn.entry(name) ? drawn.read(name) : statistics.read(name)),
  };
}

async function load(
  fixture: Fixture,
  dtype: 'F32' | 'F16',
): Promise<{ root: ParameterRoot; model: ClapModel }> {
  const root = new ParameterRoot();
  const model = new ClapModel(parseClapConfig(fixture.metadata('config')), root.scope);
  await root.load(weights(fixture, dtype), { ignoreUnexpected: CLAP_IGNORED_KEYS });
  return { root, model };
}

function text(fixture: Fixture, model: Pick<ClapModel, 'textFeatures'>): tf.Tensor2D {
  return tf.tidy(() =>
    model.textFeatures(
      fixture.tensor<tf.Tensor2D>('input_ids'),
      fixture.tensor<tf.Tensor2D>('attention_mask'),
    ),
  );
}

function audio(fixture: Fixture, model: ClapModel): tf.Tensor2D {
  return tf.tidy(() => model.audioFeatures(fixture.tensor<tf.Tensor3D>('features')));
}

forEachBackend('ClapModel', () => {
  describe.each(Object.entries(MODELS))('%s', (label, url) => {
    it.each([
      ['float32', 'F32', 1e-3],
      ['float16', 'F16', 1e-2],
    ] as const)('equals transformers with %s weights', async (_, dtype, relativeToRms) => {
      const fixture = await loadFixture(url);
      const { root, model } = await load(fixture, dtype);
      const words = text(fixture, model);
      const sounds = audio(fixture, model);
      await expectClose(words, fixture.values('text'), { relativeToRms, label: `${label} text` });
      await expectClose(sounds, fixture.values('audio'), { relativeToRms, label: `${label} audio` });
      tf.dispose([words, sounds]);
      root.dispose();
    });
  });

  it.each([
    ['float32', 'F32', 1e-4],
    ['float16', 'F16', 1e-2],
  ] as const)('has HTSAT-tiny’s third stage with %s weights', async (_, dtype, relativeToRms) => {
    const fixture = await loadFixture(STAGE);
    const root = new ParameterRoot();
    const stage = new ClapAudioStage(root.scope, parseClapConfig(fixture.metadata('config')).audio, 2);
    await root.load(weights(fixture, dtype));
    const input = fixture.tensor<tf.Tensor3D>('input');
    const output = stage.forward(input);
    await expectClose(output, fixture.values('output'), { relativeToRms });
    tf.dispose([input, output]);
    root.dispose();
  });

  it('has RoBERTa-base’s embeddings, layer and pooler', async () => {
    const fixture = await loadFixture(TEXT_LAYER);
    const root = new ParameterRoot();
    const model = new ClapTextModel(parseClapConfig(fixture.metadata('config')).text, root.scope);
    await root.load(weights(fixture, 'F32'));
    const output = text(fixture, { textFeatures: (ids, mask) => model.forward(ids, mask) });
    await expectClose(output, fixture.values('output'), { relativeToRms: 1e-4 });
    output.dispose();
    root.dispose();
  });

  it('leaves no tensor and no byte behind', async () => {
    const fixture = await loadFixture(TINY);
    const { root, model } = await load(fixture, 'F32');
    await expectNoLeak(() => tf.dispose([text(fixture, model), audio(fixture, model)]));
    root.dispose();
  });

  it('says how many frames it reads', async () => {
    const fixture = await loadFixture(TINY);
    const { root, model } = await load(fixture, 'F32');
    const long = tf.zeros<tf.Rank.R3>([1, 257, 16]);
    expect(() => model.audioFeatures(long)).toThrow('1 to 256 frames');
    long.dispose();
    root.dispose();
  });
});
