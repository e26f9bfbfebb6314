import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { required } from '../../common/assert';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import {
  expectClose,
  expectNoLeak,
  expectSameAfterSteps,
  expectSameDirection,
  type Fixture,
  forEachBackend,
  loadFixture,
  randomStateDict,
  readBlob,
} from '../../testing';
import { takeThreeSteps } from '../../testing/optimizer-steps';
import { diffusionDpoLoss, rewardMargins } from '../diffusion-dpo-loss';
import { ForwardProcess } from '../forward-process';

import { type AdapterContents, type AdapterFile, readAdapterFiles, resolveAdapter } from './adapter-formats';
import { LoraAdapter } from './lora-adapter';
import type { LoraConfig } from './lora-config';
import { asMatrix, inTorchOrder, type LoraTensor } from './lora-tensor';
import { writeAdapterFiles } from './peft-format';

const FIXTURES = {
  attention: await loadFixture(new URL('../fixtures/lora.safetensors', import.meta.url)),
  'attention and feed-forward': await loadFixture(
    new URL('../fixtures/lora-feed-forward.safetensors', import.meta.url),
  ),
  'attention, feed-forward and convolutions': await loadFixture(
    new URL('../fixtures/lora-convolutions.safetensors', import.meta.url),
  ),
  'first and last layers': await loadFixture(new URL('../fixtures/lora-ends.safetensors', import.meta.url)),
};
const PEFT_FOLDER = {
  weights: new URL('../fixtures/peft-adapter/adapter_model.safetensors', import.meta.url),
  config: new URL('../fixtures/peft-adapter/adapter_config.json', import.meta.url),
};
/**
 * Absolute. Both predictions are float32 here, and β / 2 = 1000 times the last bit of an error of one (1.2e-7) is 1.2e-4;
 * losses.test.ts, where the reference is given, holds 1e-5. 4.1e-5 was measured.
 */
const LOSS_TOLERANCE = 1e-4;
/** Of each single value after three steps, of its weight's RMS; 7.4e-5 was measured. By norm: `expectSameAfterSteps`. */
const STEPS_TOLERANCE = 1e-4;

function configOf(fixture: Fixture): LoraConfig {
  return {
    rank: fixture.metadata('rank'),
    alpha: fixture.metadata('alpha'),
    targetModules: fixture.metadata('targets'),
  };
}

/** `<prefix>.base_model.model.<layer>.lora_A.weight` of the fixture -> `<layer>.lora_A.weight`. */
function tensorsOf(fixture: Fixture, prefix: string): Map<string, LoraTensor> {
  const start = `${prefix}.base_model.model.`;
  const names = fixture.names.filter((name) => name.startsWith(start));
  return new Map(
    names.map((name) => {
      const { shape, data } = fixture.values(name);
      return [name.slice(start.length), { shape, data: Float32Array.from(data) }];
    }),
  );
}

async function loadUNet(
  fixture: Fixture,
  precision: 'float32' | 'float16' = 'float32',
): Promise<{ unet: UNet2DConditionModel; root: ParameterRoot }> {
  const root = new ParameterRoot();
  const unet = new UNet2DConditionModel(parseUNet2DConditionConfig(fixture.metadata('config')), root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')), { precision });
  return { unet, root };
}

const nhwc = (fixture: Fixture, name: string): tf.Tensor4D =>
  tf.tidy(() => tf.transpose(fixture.tensor<tf.Tensor4D>(name), [0, 2, 3, 1]));

function predict(
  fixture: Fixture,
  unet: UNet2DConditionModel,
  half: string,
): { prediction: tf.Tensor4D; target: tf.Tensor4D } {
  const process = new ForwardProcess(fixture.metadata('scheduler'));
  const timesteps = [...fixture.values('timesteps').data];
  const noise = nhwc(fixture, 'noise');
  const encoder = unet.prepareEncoderStates(
    fixture.tensor<tf.Tensor3D>('states'),
    fixture.tensor<tf.Tensor2D>('mask'),
  );
  const noisy = process.addNoise(nhwc(fixture, half), noise, timesteps);
  return {
    prediction: unet.forward(noisy, timesteps, encoder),
    target: process.target(nhwc(fixture, half), noise, timesteps),
  };
}

function dpo(fixture: Fixture, unet: UNet2DConditionModel, adapter: LoraAdapter): tf.Scalar {
  const half = (name: string) => {
    const reference = predict(fixture, unet, name).prediction;
    return { ...adapter.within(unet.adaptableLayers(), () => predict(fixture, unet, name)), reference };
  };
  return diffusionDpoLoss(rewardMargins(half('winner'), half('loser'), fixture.metadata('beta')));
}

const gradientsOf = (fixture: Fixture, unet: UNet2DConditionModel, adapter: LoraAdapter) =>
  tf.valueAndGrads(() => dpo(fixture, unet, adapter))(adapter.weights.map(({ tensor }) => tensor));

forEachBackend('LoRA', () => {
  it.each(Object.entries(FIXTURES))('%s: first values are those of PEFT', async (_, fixture) => {
    const { unet, root } = await loadUNet(fixture);
    const adapter = LoraAdapter.create(
      unet.adaptableLayers(),
      configOf(fixture),
      fixture.metadata('lora_seed'),
    );
    const initial = tensorsOf(fixture, 'initial');
    const ours = await adapter.tensors();
    expect(initial.size).toBe(ours.size / 2);
    for (const [name, { shape, data }] of initial) {
      expect(required(ours.get(name), name).shape).toEqual([...shape]);
      expect(required(ours.get(name), name).data).toEqual(data);
    }
    const up = [...ours].filter(([name]) => name.endsWith('lora_B.weight'));
    expect(up.every(([, { data }]) => data.every((value) => value === 0))).toBe(true);
    const value = tf.tidy(() => dpo(fixture, unet, adapter));
    expect(Math.abs((await value.data())[0]! - Math.LN2)).toBeLessThan(1e-6);
    value.dispose();
    adapter.dispose();
    root.dispose();
  });

  it.each(Object.entries(FIXTURES))('%s: prediction, loss and gradients equal PEFT', async (_, fixture) => {
    const { unet, root } = await loadUNet(fixture);
    const adapter = LoraAdapter.fromTensors(
      unet.adaptableLayers(),
      configOf(fixture),
      tensorsOf(fixture, 'weights'),
    );
    const prediction = tf.tidy(() =>
      adapter.within(unet.adaptableLayers(), () =>
        tf.transpose(predict(fixture, unet, 'winner').prediction, [0, 3, 1, 2]),
      ),
    );
    await expectClose(prediction, fixture.values('prediction'), { relativeToRms: 1e-4 });
    prediction.dispose();

    const { value, grads } = gradientsOf(fixture, unet, adapter);
    expect(Math.abs((await value.data())[0]! - fixture.values('dpo').data[0]!)).toBeLessThan(LOSS_TOLERANCE);
    for (const [i, weight] of adapter.weights.entries()) {
      const gradient = required(grads[i], weight.name);
      const expected = fixture.values(`gradient.base_model.model.${weight.name}`);
      const { shape, data } = inTorchOrder(gradient.shape, Float32Array.from(await gradient.data()));
      expect(asMatrix(shape)).toEqual([...asMatrix(expected.shape)]);
      expectSameDirection(data, expected.data, weight.name);
    }
    tf.dispose([value, grads]);
    await expectNoLeak(() => {
      const again = gradientsOf(fixture, unet, adapter);
      tf.dispose([again.value, again.grads]);
    });
    adapter.dispose();
    root.dispose();
  });

  it('three steps of AdamW, clipped, with warm-up, equal torch', async () => {
    const fixture = FIXTURES.attention;
    const { unet, root } = await loadUNet(fixture);
    const adapter = LoraAdapter.fromTensors(
      unet.adaptableLayers(),
      configOf(fixture),
      tensorsOf(fixture, 'weights'),
    );
    await takeThreeSteps(adapter.weights, () => gradientsOf(fixture, unet, adapter), fixture, {
      learningRate: 1e-3,
      warmUpSteps: 2,
      lossTolerance: LOSS_TOLERANCE,
    });
    const ours = await adapter.tensors();
    const changed: number[] = [];
    for (const [name, { shape, data }] of tensorsOf(fixture, 'after')) {
      await expectClose(
        required(ours.get(name), name),
        { shape, data },
        { relativeToRms: STEPS_TOLERANCE, label: name },
      );
      expectSameAfterSteps(required(ours.get(name), name).data, data, name);
      const before = required(tensorsOf(fixture, 'weights').get(name), name).data;
      changed.push(Math.max(...data.map((value, i) => Math.abs(value - before[i]!))));
    }
    expect(Math.min(...changed)).toBeGreaterThan(1e-4);
    adapter.dispose();
    root.dispose();
  });

  it('trains beside a frozen base in half precision', async () => {
    const fixture = FIXTURES.attention;
    const { unet, root } = await loadUNet(fixture, 'float16');
    const adapter = LoraAdapter.fromTensors(
      unet.adaptableLayers(),
      configOf(fixture),
      tensorsOf(fixture, 'weights'),
    );
    const { value, grads } = gradientsOf(fixture, unet, adapter);
    expect(Math.abs((await value.data())[0]! - fixture.values('dpo').data[0]!)).toBeLessThan(0.05);
    for (const gradient of grads) expect((await gradient.data()).every(Number.isFinite)).toBe(true);
    tf.dispose([value, grads]);
    adapter.dispose();
    root.dispose();
  });
});

forEachBackend('Adapter files', () => {
  async function peftFiles(): Promise<AdapterFile[]> {
    return [
      { path: 'run/adapter_model.safetensors', blob: await readBlob(PEFT_FOLDER.weights) },
      { path: 'run/adapter_config.json', blob: await readBlob(PEFT_FOLDER.config) },
    ];
  }

  /** For the model whose layers the file names. */
  async function contentsOf(files: readonly AdapterFile[]): Promise<AdapterContents> {
    const parsed = await readAdapterFiles(files);
    return resolveAdapter(
      parsed,
      parsed.layers.map(({ name }) => name),
    );
  }

  it('of PEFT are read', async () => {
    const { config, tensors } = await contentsOf(await peftFiles());
    const fixture = FIXTURES.attention;
    expect({ ...config, targetModules: [...config.targetModules].sort() }).toEqual({
      ...configOf(fixture),
      targetModules: [...configOf(fixture).targetModules].sort(),
    });
    const expected = tensorsOf(fixture, 'weights');
    expect([...tensors.keys()].sort()).toEqual([...expected.keys()].sort());
    for (const [name, { data }] of expected) expect(required(tensors.get(name), name).data).toEqual(data);
  });

  it('are written as PEFT writes them, and as diffusers names them', async () => {
    const read = await contentsOf(await peftFiles());
    const written = writeAdapterFiles(read, 'a model');
    expect(written.map(({ path }) => path)).toEqual([
      'adapter_model.safetensors',
      'adapter_config.json',
      'pytorch_lora_weights.safetensors',
    ]);
    expect(await contentsOf(written)).toEqual(read);
    const theirs = JSON.parse(await (await readBlob(PEFT_FOLDER.config)).text()) as Record<string, unknown>;
    const ours = JSON.parse(await written[1]!.blob.text()) as Record<string, unknown>;
    for (const [field, value] of Object.entries(ours)) {
      if (field === 'base_model_name_or_path') expect(value).toBe('a model');
      else if (field === 'target_modules') expect(value).toEqual([...(theirs[field] as string[])].sort());
      else expect({ [field]: value }).toEqual({ [field]: theirs[field] });
    }
    const { openSafetensors } = await import('../../weights');
    const peft = await openSafetensors(await readBlob(PEFT_FOLDER.weights), 'PEFT');
    const own = await openSafetensors(written[0]!.blob, 'own');
    expect([...own.names()].sort()).toEqual([...peft.names()].sort());
    for (const name of own.names())
      expect((await own.read(name)).bytes).toEqual((await peft.read(name)).bytes);
    const diffusers = await openSafetensors(written[2]!.blob, 'diffusers');
    expect(diffusers.names().every((name) => name.startsWith('unet.'))).toBe(true);
  });

  it('of another model, or incomplete, are refused in words', async () => {
    const fixture = FIXTURES.attention;
    const { unet, root } = await loadUNet(fixture);
    const layers = unet.adaptableLayers();
    const { config, tensors } = await contentsOf(await peftFiles());
    const [first] = [...tensors.keys()];
    const without = new Map([...tensors].filter(([name]) => name !== first));
    expect(() => LoraAdapter.fromTensors(layers, config, without)).toThrow(/not of this model: 1 of its/);
    const misshapen = new Map([...tensors, [first!, { shape: [4, 1] as const, data: new Float32Array(4) }]]);
    expect(() => LoraAdapter.fromTensors(layers, config, misshapen)).toThrow(/should be \[4, 8\]/);
    expect(() => LoraAdapter.create(layers, { ...config, rank: 0 }, 0)).toThrow(/at least 1/);
    expect(() => LoraAdapter.create(layers, { ...config, rank: 64 }, 0)).toThrow(/choose 1 to/);
    expect(() => LoraAdapter.create(layers, { ...config, targetModules: ['to_z'] }, 0)).toThrow(/to_z/);
    await expect(readAdapterFiles((await peftFiles()).slice(0, 1))).rejects.toThrow(/adapter_config.json/);
    const dora = new Blob([JSON.stringify({ peft_type: 'LORA', use_dora: true, target_modules: ['to_q'] })]);
    const files = [(await peftFiles())[0]!, { path: 'run/adapter_config.json', blob: dora }];
    await expect(readAdapterFiles(files)).rejects.toThrow(/use_dora/);
    root.dispose();
  });
});

const STACK = await loadFixture(new URL('../fixtures/lora-stack.safetensors', import.meta.url));
type StackedConfig = { readonly r: number; readonly lora_alpha: number; readonly target_modules: string[] };

forEachBackend('Stacked LoRA', () => {
  it('two adapters, each at its strength, predict what diffusers does after set_adapters', async () => {
    const { unet, root } = await loadUNet(STACK);
    const configs = Object.entries(STACK.metadata<Record<string, StackedConfig>>('adapters'));
    const adapters = new Map(
      configs.map(([name, { r, lora_alpha, target_modules }]) => {
        const start = `${name}.`;
        const tensors = STACK.names
          .filter((one) => one.startsWith(start))
          .map((one): [string, LoraTensor] => {
            const { shape, data } = STACK.values(one);
            const size = shape as unknown as [number, number];
            return [one.slice(start.length), { shape: size, data: Float32Array.from(data) }];
          });
        const config = { rank: r, alpha: lora_alpha, targetModules: target_modules };
        return [name, LoraAdapter.fromTensors(unet.adaptableLayers(), config, new Map(tensors))];
      }),
    );
    const predicted = () =>
      tf.tidy(() => {
        const states = unet.prepareEncoderStates(STACK.tensor('states'), STACK.tensor('mask'));
        const output = unet.forward(nhwc(STACK, 'winner'), [...STACK.values('timesteps').data], states);
        return tf.transpose(output, [0, 3, 1, 2]);
      });
    const cases = Object.entries(STACK.metadata<Record<string, Record<string, number>>>('strengths'));
    for (const [label, strengths] of [...cases, ['base', {}] as const]) {
      const undo = Object.entries(strengths).map(([name, strength]) =>
        required(adapters.get(name), name).stack(unet.adaptableLayers(), strength),
      );
      const prediction = predicted();
      for (const detach of undo.reverse()) detach();
      await expectClose(prediction, STACK.values(`prediction.${label}`), { relativeToRms: 1e-4, label });
      prediction.dispose();
    }
    for (const adapter of adapters.values()) adapter.dispose();
    root.dispose();
  });
});
