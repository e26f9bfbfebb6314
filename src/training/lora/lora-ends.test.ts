import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import { expectClose, forEachBackend, loadFixture, randomStateDict, readBlob } from '../../testing';
import { openSafetensors } from '../../weights';
import { type AdapterFile, readAdapterFiles, resolveAdapter } from './adapter-formats';
import { LoraAdapter } from './lora-adapter';
import type { LoraTensor } from './lora-tensor';
import { mergedUNet } from './merged-unet';

/** conv_in, conv_out and the time embedding, of a rank that conv_out is not wide enough for (tools/fixtures/lora_ends.py). */
const fixture = await loadFixture(new URL('../fixtures/lora-ends/reference.safetensors', import.meta.url));
const file = async (path: string, url: URL): Promise<AdapterFile> => ({ path, blob: await readBlob(url) });
const PEFT = [
  await file(
    'adapter_model.safetensors',
    new URL('../fixtures/lora-ends/peft/adapter_model.safetensors', import.meta.url),
  ),
  await file(
    'adapter_config.json',
    new URL('../fixtures/lora-ends/peft/adapter_config.json', import.meta.url),
  ),
];
const KOHYA = [
  await file('kohya.safetensors', new URL('../fixtures/lora-ends/kohya.safetensors', import.meta.url)),
];

async function withUNet(
  body: (unet: UNet2DConditionModel, root: ParameterRoot) => Promise<void>,
): Promise<void> {
  const root = new ParameterRoot();
  const unet = new UNet2DConditionModel(parseUNet2DConditionConfig(fixture.metadata('config')), root.scope);
  await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')));
  try {
    await body(unet, root);
  } finally {
    root.dispose();
  }
}

async function expectPrediction(unet: UNet2DConditionModel, name: string): Promise<void> {
  const prediction = tf.tidy(() => {
    const states = unet.prepareEncoderStates(fixture.tensor('states'), fixture.tensor('mask'));
    const noisy = tf.transpose(fixture.tensor<tf.Tensor4D>('winner'), [0, 2, 3, 1]);
    return tf.transpose(unet.forward(noisy, [...fixture.values('timesteps').data], states), [0, 3, 1, 2]);
  });
  await expectClose(prediction, fixture.values(name), { relativeToRms: 1e-4, label: name });
  prediction.dispose();
}

async function adapterOf(unet: UNet2DConditionModel, files: readonly AdapterFile[]): Promise<LoraAdapter> {
  const layers = unet.adaptableLayers();
  const { config, tensors } = resolveAdapter(await readAdapterFiles(files), [...layers.keys()]);
  return LoraAdapter.fromTensors(layers, config, tensors);
}

/** One of the two that the fixture's UNet has at once. */
function namedAdapter(unet: UNet2DConditionModel, name: 'ends' | 'other'): LoraAdapter {
  type Config = { readonly r: number; readonly lora_alpha: number; readonly target_modules: string[] };
  const { r, lora_alpha, target_modules } = fixture.metadata<Config>(name);
  const tensors = fixture.names
    .filter((key) => key.startsWith(`${name}.`))
    .map((key): [string, LoraTensor] => {
      const { shape, data } = fixture.values(key);
      return [key.slice(name.length + 1), { shape, data: Float32Array.from(data) }];
    });
  const config = { rank: r, alpha: lora_alpha, targetModules: target_modules };
  return LoraAdapter.fromTensors(unet.adaptableLayers(), config, new Map(tensors));
}

forEachBackend('LoRA of the first and last layers', () => {
  it.each([
    ['PEFT', PEFT],
    ['kohya', KOHYA],
  ])('of a file of %s predicts what PEFT does', async (_, files) => {
    await withUNet(async (unet) => {
      const adapter = await adapterOf(unet, files);
      const detach = adapter.attach(unet.adaptableLayers());
      await expectPrediction(unet, 'adapter');
      detach();
      await expectPrediction(unet, 'base');
      adapter.dispose();
    });
  });

  it('stands beside another at its strength', async () => {
    await withUNet(async (unet) => {
      const [ends, other] = [namedAdapter(unet, 'ends'), namedAdapter(unet, 'other')];
      const layers = unet.adaptableLayers();
      const first = ends.stack(layers, 0.5);
      await expectPrediction(unet, 'half');
      const second = other.stack(layers, 1.5);
      await expectPrediction(unet, 'both');
      second();
      first();
      await expectPrediction(unet, 'base');
      for (const adapter of [ends, other]) adapter.dispose();
    });
  });

  it('merged into the UNet predicts what PEFT’s merge does', async () => {
    await withUNet(async (unet, root) => {
      const adapter = await adapterOf(unet, PEFT);
      const blob = await mergedUNet(root.list(), adapter, '', '{}');
      adapter.dispose();
      await root.load(await openSafetensors(blob, 'merged'));
      await expectPrediction(unet, 'merged');
    });
  });

  it('is not begun wider than the narrowest of its layers', async () => {
    await withUNet(async (unet) => {
      const config = { rank: 6, alpha: 6, targetModules: ['conv_in', 'conv_out'] };
      expect(() => LoraAdapter.create(unet.adaptableLayers(), config, 0)).toThrow(
        /"conv_out" is wide.*1 to 4/,
      );
    });
  });
});
