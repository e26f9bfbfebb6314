import * as tf from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
import { parseUNet2DConditionConfig, UNet2DConditionModel } from '../../models/unet-2d-condition';
import { ParameterRoot } from '../../nn';
import {
  expectClose,
  expectNoLeak,
  forEachBackend,
  loadFixture,
  randomStateDict,
  readBlob,
} from '../../testing';
import { readAdapterFiles, resolveAdapter } from './adapter-formats';
import { LoraAdapter } from './lora-adapter';

const FILES = [
  {
    path: 'dog/adapter_model.safetensors',
    blob: await readBlob(new URL('../fixtures/audioldm2-lora/adapter_model.safetensors', import.meta.url)),
  },
  {
    path: 'dog/adapter_config.json',
    blob: await readBlob(new URL('../fixtures/audioldm2-lora/adapter_config.json', import.meta.url)),
  },
];
const fixture = await loadFixture(
  new URL('../fixtures/audioldm2-lora/reference.safetensors', import.meta.url),
);

forEachBackend('A LoRA for AudioLDM 2', () => {
  it('predicts what PEFT predicts with it, on all of a layer’s transformers', async () => {
    const root = new ParameterRoot();
    const unet = new UNet2DConditionModel(parseUNet2DConditionConfig(fixture.metadata('config')), root.scope);
    await root.load(randomStateDict(fixture.metadata('state_dict'), fixture.metadata('seed')));
    const layers = unet.adaptableLayers();
    const contents = resolveAdapter(await readAdapterFiles(FILES), [...layers.keys()]);
    expect([...contents.tensors.keys()].some((name) => name.includes('down_blocks.1.attentions.5.'))).toBe(
      true,
    );
    const adapter = LoraAdapter.fromTensors(layers, contents.config, contents.tensors);
    const predict = (): tf.Tensor =>
      tf.tidy(() => {
        const encoder = unet.prepareEncoderStates(
          fixture.tensor('encoder_hidden_states'),
          undefined,
          unet.crossAttentions(),
          {
            states: fixture.tensor('encoder_hidden_states_1'),
            mask: fixture.tensor('encoder_attention_mask_1'),
          },
        );
        const sample = tf.transpose<tf.Tensor4D>(fixture.tensor('sample'), [0, 2, 3, 1]);
        return tf.transpose(unet.forward(sample, fixture.metadata('timesteps'), encoder), [0, 3, 1, 2]);
      });
    await expectNoLeak(async () => {
      const output = adapter.within(layers, predict);
      await expectClose(output, fixture.values('output'), { relativeToRms: 1e-3 });
      output.dispose();
    });
    const without = predict();
    const difference = Math.max(
      ...(await without.data()).map((value, i) => Math.abs(value - fixture.values('output').data[i]!)),
    );
    expect(difference).toBeGreaterThan(0.1);
    without.dispose();
    adapter.dispose();
    root.dispose();
  });
});
