import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import { melDecibels } from '../../audio';
import {
  InvalidConfigError,
  InvalidInputError,
  ModelNotFoundError,
  StateDictError,
  WeightsFormatError,
} from '../../common/errors';
import { ParameterRoot } from '../../nn';
import {
  expectClose,
  expectNoLeak,
  type Fixture,
  forEachBackend,
  loadFixture,
  randomStateDict,
  readBlob,
} from '../../testing';
import {
  folderFromFiles,
  type RawTensor,
  renameStateDict,
  type StateDict,
  stateDictFromTensors,
  writeSafetensors,
} from '../../weights';
import { audiosetClasses } from './audioset-classes';
import { Cnn14 } from './cnn14';
import { Cnn14Encoder, openCnn14 } from './cnn14-encoder';
import { cnn14Config } from './config';
import { CNN14_IGNORED_KEYS, pannStateDict } from './key-map';

const fixtureOf = (variant: string) =>
  loadFixture(new URL(`./fixtures/cnn14-${variant}.safetensors`, import.meta.url));
const PTH = new URL('./fixtures/cnn14-16k.pth', import.meta.url);
const RATES = { '16k': 16_000, '32k': 32_000 };

/** The drawn weights, and what the fixture holds of the checkpoint: running statistics and mel filters. */
function weights(fixture: Fixture, dtype: 'F32' | 'F16' = 'F32'): StateDict {
  const drawn = randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed'), dtype);
  const stored = stateDictFromTensors(
    fixture.names
      .filter((name) => /running_(mean|var)$|melW$/.test(name))
      .map((name) => rawOf(name, fixture.values(name).shape, [...fixture.values(name).data])),
  );
  return joined(drawn, stored);
}

function rawOf(name: string, shape: readonly number[], values: readonly number[]): RawTensor {
  return { name, dtype: 'F32', shape, bytes: new Uint8Array(Float32Array.from(values).buffer) };
}

function joined(first: StateDict, second: StateDict): StateDict {
  return {
    names: () => [...first.names(), ...second.names()],
    entry: (name) => first.entry(name) ?? second.entry(name),
    read: async (name) => (first.entry(name) ? first.read(name) : second.read(name)),
  };
}

/** As safetensors, for what opens files. */
async function fileOf(stateDict: StateDict): Promise<Blob> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const head = await writeSafetensors(stateDict, async (bytes) => {
    parts.push(bytes.slice());
  });
  return new Blob([head, ...parts]);
}

const folderOf = (path: string, blob: Blob) => folderFromFiles([{ path, blob }]);

async function load(fixture: Fixture, dtype: 'F32' | 'F16'): Promise<{ root: ParameterRoot; model: Cnn14 }> {
  const stateDict = weights(fixture, dtype);
  const root = new ParameterRoot();
  const model = new Cnn14(await cnn14Config(stateDict, 'fixture'), root.scope);
  await root.load(stateDict, { ignoreUnexpected: CNN14_IGNORED_KEYS });
  return { root, model };
}

describe.each(Object.entries(RATES))('the front end at %s', (variant, sampleRateHz) => {
  it('equals torchlibrosa’s Spectrogram and LogmelFilterBank', async () => {
    const fixture = await fixtureOf(variant);
    const config = await cnn14Config(weights(fixture), 'fixture');
    expect(config).toMatchObject({ sampleRateHz, melBins: 64, classCount: 527 });
    const { data, frames, melBins } = melDecibels(Float32Array.from(fixture.values('wave').data), config);
    await expectClose({ data, shape: [1, frames, melBins] }, fixture.values('features'), {
      relativeToRms: 1e-3,
    });
  });
});

forEachBackend('Cnn14', () => {
  describe.each(Object.keys(RATES))('%s', (variant) => {
    it.each([
      ['float32', 'F32', 1e-3],
      ['float16', 'F16', 1e-2],
    ] as const)('equals panns_inference with %s weights', async (_, dtype, relativeToRms) => {
      const fixture = await fixtureOf(variant);
      const { root, model } = await load(fixture, dtype);
      const features = fixture.tensor<tf.Tensor3D>('features');
      const output = model.forward(features);
      await expectClose(output.embedding, fixture.values('embedding'), { relativeToRms, label: 'embedding' });
      await expectClose(output.clipwiseOutput, fixture.values('clipwise_output'), { relativeToRms });
      tf.dispose([features, ...Object.values(output)]);
      root.dispose();
    });
  });

  it('hears what panns_inference hears in a waveform, from a checkpoint in the published form', async () => {
    const fixture = await fixtureOf('16k');
    const wave = Float32Array.from(fixture.values('wave').data);
    const folder = folderOf('Cnn14_16k_mAP=0.438.pth', await readBlob(PTH));
    await expectNoLeak(async () => {
      const encoder = await Cnn14Encoder.load(folder);
      const { probabilities, embedding } = await encoder.hear(wave, 16_000);
      await expectClose(probabilities, fixture.values('clipwise_output'), { relativeToRms: 1e-3 });
      await expectClose(embedding, fixture.values('embedding'), { relativeToRms: 1e-3 });
      encoder.dispose();
    });
  });

  it('leaves nothing behind when it is cancelled or refuses a sound', async () => {
    const encoder = await Cnn14Encoder.load(folderOf('Cnn14.pth', await readBlob(PTH)));
    const aborted = AbortSignal.abort(new InvalidInputError('cancelled'));
    await expectNoLeak(async () => {
      await expect(encoder.hear(new Float32Array(16_000), 16_000, aborted)).rejects.toThrow('cancelled');
      await expect(encoder.hear(new Float32Array(4000), 16_000)).rejects.toThrow(
        '0.31 to 60 seconds, but one of 0.25',
      );
      await expect(encoder.hear(new Float32Array(61 * 8000), 8000)).rejects.toThrow(InvalidInputError);
      await expect(encoder.hear(new Float32Array(16_000).fill(Number.NaN), 16_000)).rejects.toThrow('finite');
      await encoder.hear(new Float32Array(4960), 16_000);
    });
    encoder.dispose();
  });
});

describe('openCnn14', () => {
  it('uses every tensor of a checkpoint once; the front end’s constants and counters are left by name', async () => {
    const fixture = await fixtureOf('32k');
    const constants = ['real', 'imag'].map((part) =>
      rawOf(
        `spectrogram_extractor.stft.conv_${part}.weight`,
        [513, 1, 4],
        new Array<number>(513 * 4).fill(0),
      ),
    );
    const counters = ['bn0', 'conv_block6.bn2'].map((name) => rawOf(`${name}.num_batches_tracked`, [], [5]));
    const whole = joined(weights(fixture), stateDictFromTensors([...constants, ...counters]));
    const wrapped = renameStateDict(whole, (name) => `backbone.${name}`);
    const { root, stateDict } = await openCnn14(folderOf('model.safetensors', await fileOf(wrapped)));
    const used = new Set(root.list().map(({ name }) => name));
    const left = stateDict.names().filter((name) => !used.has(name));
    expect([...used].every((name) => stateDict.entry(name))).toBe(true);
    expect(left.toSorted()).toEqual(
      [...constants, ...counters, { name: 'logmel_extractor.melW' }].map(({ name }) => name).toSorted(),
    );
  });

  const changed = async (change: (name: string) => string | null, extra: readonly RawTensor[] = []) =>
    folderOf(
      'model.safetensors',
      await fileOf(
        joined(renameStateDict(weights(await fixtureOf('16k')), change), stateDictFromTensors(extra)),
      ),
    );
  const without = (gone: string) => changed((name) => (name.startsWith(gone) ? null : name));
  const replaced = (name: string, shape: readonly number[], value = 0) =>
    changed(
      (one) => (one === name ? null : one),
      [rawOf(name, shape, new Array<number>(shape.reduce((a, b) => a * b)).fill(value))],
    );

  it.each<
    [string, () => ReturnType<typeof changed>, typeof InvalidConfigError | typeof StateDictError, RegExp]
  >([
    ['Cnn10', () => without('conv_block6'), InvalidConfigError, /no "conv_block6.conv1.weight".*Cnn14_mAP/],
    [
      'another model',
      () => without('logmel'),
      InvalidConfigError,
      /should be a Cnn14 of PANNs.*It holds bn0/,
    ],
    ['Cnn14_8k', () => replaced('logmel_extractor.melW', [129, 64]), InvalidConfigError, /of 256 samples/],
    [
      'other mel filters',
      () => replaced('logmel_extractor.melW', [257, 64]),
      InvalidConfigError,
      /other mel filters.*at 16 kHz \(64 from 50 to 8000 Hz\)/,
    ],
    ['other classes', () => replaced('fc_audioset.weight', [10, 24]), InvalidConfigError, /tells 10 classes/],
    ['a lost tensor', () => without('bn0.running_var'), StateDictError, /bn0\.running_var/],
    [
      'tensors of more than a Cnn14',
      () => changed((name) => name, [rawOf('pre_conv0.weight', [2], [0, 0])]),
      StateDictError,
      /pre_conv0\.weight/,
    ],
  ])('refuses %s by name', async (_, make, type, words) => {
    const opening = openCnn14(await make());
    await expect(opening).rejects.toBeInstanceOf(type);
    await expect(opening).rejects.toThrow(words);
  });

  it('says how a file of torch before 1.6 is made readable, and does not repeat a stranger’s name in the command', async () => {
    const legacy = await readBlob(
      new URL('../../weights/formats/fixtures/torch-legacy.bin', import.meta.url),
    );
    const opening = openCnn14(folderOf('Cnn14_16k_mAP=0.438.pth', legacy));
    await expect(opening).rejects.toBeInstanceOf(WeightsFormatError);
    await expect(opening).rejects.toThrow(
      `python -c "import torch; torch.save({'model': torch.load('Cnn14_16k_mAP=0.438.pth', map_location='cpu', weights_only=False)['model']}, 'Cnn14_16k_mAP=0.438-new.pth')"`,
    );
    await expect(openCnn14(folderOf("Cnn14');import os;('.pth", legacy))).rejects.toThrow(
      "torch.load('model.bin',",
    );
  });

  it('asks for one file of weights, and not for a model that means something else', async () => {
    const blob = await readBlob(PTH);
    await expect(openCnn14(folderOf('README.md', new Blob(['hi'])))).rejects.toThrow(ModelNotFoundError);
    const two = folderFromFiles(['a.pth', 'b.pth'].map((path) => ({ path, blob })));
    await expect(openCnn14(two)).rejects.toThrow(/are 2: a\.pth, b\.pth/);
    await expect(openCnn14(folderOf('Cnn14_DecisionLevelMax_mAP=0.385.pth', blob))).rejects.toThrow(
      /along the time/,
    );
  });

  it('two names for one parameter are refused', () => {
    const twice = stateDictFromTensors([rawOf('module.fc1.bias', [1], [0]), rawOf('fc1.bias', [1], [0])]);
    expect(() => pannStateDict(twice)).toThrow(StateDictError);
  });
});

describe('AudioSet’s classes', () => {
  it('are 527 different names in the order of the index', async () => {
    const names = await audiosetClasses();
    expect(new Set(names).size).toBe(527);
    expect([names[0], names[74], names[389], names[526]]).toEqual([
      'Speech',
      'Dog',
      'Telephone',
      'Field recording',
    ]);
  });
});
