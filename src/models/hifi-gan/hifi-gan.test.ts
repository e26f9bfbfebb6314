import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { InvalidInputError } from '../../common/errors';
import { leakyRelu } from '../../gpu/kernels';
import { Conv1d, ConvTranspose1d, ParameterRoot, type ParameterScope } from '../../nn';
import {
  expectClose,
  expectNoLeak,
  type Fixture,
  forEachBackend,
  loadFixture,
  randomStateDict,
} from '../../testing';
import { type StateDict, stateDictFromTensors } from '../../weights';
import { outputLength, parseHifiGanConfig } from './config';
import { HifiGan } from './hifi-gan';
import { hifiGanStateDict } from './key-map';
import { HifiGanResidualBlock } from './residual-block';

const MODELS = {
  'tango-tiny': new URL('./fixtures/tango-tiny.safetensors', import.meta.url),
  normalized: new URL('./fixtures/normalized.safetensors', import.meta.url),
  'weight-norm': new URL('./fixtures/weight-norm.safetensors', import.meta.url),
} as const;

interface Loaded {
  readonly fixture: Fixture;
  readonly root: ParameterRoot;
  readonly model: HifiGan;
}

async function load(url: URL, dtype: 'F32' | 'F16' = 'F32'): Promise<Loaded> {
  const fixture = await loadFixture(url);
  const config = parseHifiGanConfig(fixture.metadata('config'));
  const root = new ParameterRoot();
  const model = new HifiGan(config, root.scope);
  const drawn = randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype);
  await root.load(hifiGanStateDict(await withScalesAroundOne(drawn), config));
  return { fixture, root, model };
}

/** The fixtures add 1 to the scale that the generator draws around zero. Float16 cases do not normalise. */
async function withScalesAroundOne(drawn: StateDict): Promise<StateDict> {
  const tensors = await Promise.all(drawn.names().map((name) => drawn.read(name)));
  return stateDictFromTensors(
    tensors.map((tensor) => {
      if (tensor.name !== 'scale' || tensor.dtype !== 'F32') return tensor;
      const values = new Float32Array(tensor.bytes.slice().buffer).map((value) => value + 1);
      return { ...tensor, bytes: new Uint8Array(values.buffer) };
    }),
  );
}

forEachBackend('HifiGan', () => {
  it.each([
    ['tango-tiny', 'F32', 1e-3],
    ['tango-tiny', 'F16', 1e-2],
    ['normalized', 'F32', 1e-3],
    ['weight-norm', 'F32', 1e-3],
    ['weight-norm', 'F16', 1e-2],
  ] as const)('%s equals transformers with %s weights', async (name, dtype, relativeToRms) => {
    const { fixture, root, model } = await load(MODELS[name], dtype);
    const mel = fixture.tensor<tf.Tensor3D>('mel');
    const waveform = model.forward(mel);
    await expectClose(waveform, fixture.values('waveform'), { relativeToRms });
    expect(waveform.shape[1]).toBe(outputLength(model.config, mel.shape[1]));
    tf.dispose([mel, waveform]);
    root.dispose();
  });

  describe('tango-tiny', () => {
    let loaded: Loaded;
    beforeAll(async () => {
      loaded = await load(MODELS['tango-tiny']);
      return () => loaded.root.dispose();
    });

    it('gives 160 · frames + 32 samples', () => {
      const mel = loaded.fixture.tensor<tf.Tensor3D>('mel'); // [1, 5, 64]
      const waveform = loaded.model.forward(mel);
      expect(waveform.shape).toEqual([1, 160 * 5 + 32]);
      tf.dispose([mel, waveform]);
    });

    it.each([
      ['tiles of 7 and a short last one', 7],
      ['tiles of 1', 1],
      ['one tile', 64],
    ])('gives the same samples in %s', async (_, framesPerTile) => {
      const mel = tf.randomNormal<tf.Rank.R3>([2, 40, 64], -5, 2, 'float32', 3);
      const whole = loaded.model.forward(mel);
      let stages = 0;
      const tiled = loaded.model.forwardInTiles(mel, framesPerTile, () => {
        stages += 1;
      });
      // The same sums; kernels may add them in another order for another length.
      const reference = { shape: whole.shape, data: await whole.data() };
      await expectClose(tiled, reference, { relativeToRms: 1e-5 });
      expect(stages).toBeGreaterThanOrEqual(loaded.model.config.upsampleRates.length);
      tf.dispose([mel, whole, tiled]);
    });

    it("has torch's gradient", async () => {
      const mel = loaded.fixture.tensor<tf.Tensor3D>('mel');
      const loss = (x: tf.Tensor): tf.Tensor => tf.mean(tf.square(loaded.model.forward(x as tf.Tensor3D)));
      const gradient = tf.tidy(() => tf.grad(loss)(mel));
      await expectClose(gradient, loaded.fixture.values('mel.grad'), { relativeToRms: 1e-3 });
      tf.dispose([mel, gradient]);
    });

    it('leaves no tensor behind', async () => {
      await expectNoLeak(() => {
        const mel = loaded.fixture.tensor<tf.Tensor3D>('mel');
        tf.dispose([mel, loaded.model.forward(mel)]);
      });
    });

    it('refuses other numbers of mel bins', () => {
      const wrong = tf.zeros<tf.Rank.R3>([1, 4, 80]);
      expect(() => loaded.model.forward(wrong)).toThrow(InvalidInputError);
      expect(() => loaded.model.forward(wrong)).toThrow('mel should be [B, T, 64], got [1, 4, 80]');
      wrong.dispose();
    });
  });
});

interface LayerCase {
  readonly url: URL;
  readonly build: (params: ParameterScope) => (x: tf.Tensor3D) => tf.Tensor3D;
}

const resblock =
  (channels: number, kernelSize: number) =>
  (params: ParameterScope): ((x: tf.Tensor3D) => tf.Tensor3D) => {
    const block = new HifiGanResidualBlock(params, channels, kernelSize, [1, 3, 5], 0.1);
    return (x) => block.forward(x);
  };

/** Single layers at the widths of Tango's vocoder. */
const LAYERS: Readonly<Record<string, LayerCase>> = {
  'conv_pre 64 -> 1024 and the first upsampling': {
    url: new URL('./fixtures/layer-upsample.safetensors', import.meta.url),
    build: (params) => {
      const convPre = new Conv1d(params.child('conv_pre'), 64, 1024, 7, { padding: 3 });
      const upsampler = new ConvTranspose1d(params.child('upsampler'), 1024, 512, 16, {
        stride: 5,
        padding: 5,
      });
      return (x) => upsampler.forward(leakyRelu(convPre.forward(x), 0.1));
    },
  },
  'residual block of 512 channels, kernel 3': {
    url: new URL('./fixtures/layer-resblock-512.safetensors', import.meta.url),
    build: resblock(512, 3),
  },
  'residual block of 128 channels, kernel 11': {
    url: new URL('./fixtures/layer-resblock-128.safetensors', import.meta.url),
    build: resblock(128, 11),
  },
  'residual block of 32 channels, kernel 7': {
    url: new URL('./fixtures/layer-resblock-32.safetensors', import.meta.url),
    build: resblock(32, 7),
  },
};

forEachBackend('layers of HifiGan at full width', () => {
  it.each(Object.entries(LAYERS))('%s equals transformers', async (_, { url, build }) => {
    const fixture = await loadFixture(url);
    const root = new ParameterRoot();
    const forward = build(root.scope);
    await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')));
    const x = fixture.tensor<tf.Tensor3D>('x');
    const y = tf.tidy(() => forward(x));
    await expectClose(y, fixture.values('y'), { relativeToRms: fixture.metadata('tolerance') });
    tf.dispose([x, y]);
    root.dispose();
  });
});
